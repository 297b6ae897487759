use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn range(asked: &str, status: u16, answered: &str, bytes: &str) -> bool {
    let answer = headers(&[("content-range", answered), ("content-length", bytes)]);
    AskedRange::parse(asked).unwrap().check(status, &answer).is_ok()
}

#[test]
fn ranges_are_those_that_were_asked_for() {
    assert!(range("bytes=0-9", 206, "bytes 0-9/100", "10"));
    assert!(range("bytes=90-199", 206, "bytes 90-99/100", "10"), "cut off at the end of the object");
    assert!(range("bytes=90-", 206, "bytes 90-99/100", "10"));
    assert!(range("bytes=-10", 206, "bytes 90-99/100", "10"));
    assert!(range("bytes=-200", 206, "bytes 0-99/100", "100"));
    assert!(!range("bytes=0-9", 200, "bytes 0-9/100", "10"), "the whole object");
    assert!(!range("bytes=0-9", 206, "bytes 0-8/100", "9"));
    assert!(!range("bytes=0-9", 206, "bytes 1-9/100", "9"));
    assert!(!range("bytes=0-9", 206, "bytes 0-9/100", "9"));
    assert!(!range("bytes=0-9", 206, "bytes 0-9/*", "10"));
    assert!(AskedRange::parse("bytes=0-9").unwrap().check(206, &HeaderMap::new()).is_err());
}

#[test]
fn secrets_are_taken_out_of_texts() {
    let sent = headers(&[
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature=0123456789abcdef",
        ),
        ("x-amz-security-token", "canary/token+abc=="),
        ("host", "s3.example"),
    ]);
    let asked = Asked {
        reads: true,
        has_no_body: false,
        creates: false,
        repeatable: true,
        range: None,
        secrets: secrets(&sent),
    };
    let told = "<SignatureProvided>0123456789abcdef</SignatureProvided><CanonicalRequest>host:s3.example\n\
        x-amz-security-token:canary/token+abc==</CanonicalRequest>";
    let left = asked.without_secrets(told);
    assert!(!left.contains("canary") && !left.contains("0123456789abcdef"), "{left}");
    assert!(left.contains("s3.example"), "{left}");
    let bearer = secrets(&headers(&[("authorization", "Bearer canary-of-google")]));
    assert!(bearer.contains(&"canary-of-google".to_owned()), "{bearer:?}");
}

#[test]
fn when_to_come_again_is_read_in_seconds() {
    assert_eq!(retry_after(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
    assert_eq!(retry_after(&headers(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")])), None);
    assert_eq!(retry_after(&HeaderMap::new()), None);
}
