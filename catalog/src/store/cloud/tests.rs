use super::*;

fn url() -> Url {
    Url::parse("s3://bucket/basin").unwrap()
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// The folder of a user with shared files.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let credentials = "# keys\n[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = de/fa+ult#1;\\=\n\n\
        [other]\naws_access_key_id=AKIAOTHER\naws_secret_access_key=canary-secret\naws_session_token=canary-token\n\
        [half]\naws_access_key_id = AKIAHALF\n";
    std::fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
    let config = "[default]\nregion = eu-central-1\ns3 =\n  addressing_style = path\n[profile other]\nregion = cn-north-1\n\
        endpoint_url = https://s3.example\n[profile sso]\nsso_session = work\nregion = x\n";
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    home
}

fn read(settings: &S3Settings, more: &[(&str, &str)]) -> Result<Profile> {
    let home = home();
    let mut variables = vec![("HOME", home.path().to_str().unwrap())];
    variables.extend(more);
    Profile::read(settings, &environment(&variables))
}

#[test]
fn profiles_are_read_as_by_other_tools() {
    let settings = S3Settings::default();
    let profile = read(&settings, &[]).unwrap();
    assert_eq!(profile.keys.as_ref().unwrap().secret, "de/fa+ult#1;\\=");
    assert_eq!(profile.region.as_deref(), Some("eu-central-1"));
    let other = read(&settings, &[("AWS_PROFILE", "other")]).unwrap();
    let keys = other.keys.as_ref().unwrap();
    assert_eq!((keys.id.as_str(), keys.token.as_deref()), ("AKIAOTHER", Some("canary-token")));
    assert_eq!(other.endpoint.as_deref(), Some("https://s3.example"));
    assert!(!format!("{other:?}").contains("canary"));
    let configured = S3Settings { profile: Some("other".to_owned()), ..S3Settings::default() };
    assert_eq!(read(&configured, &[]).unwrap().region.as_deref(), Some("cn-north-1"));
    assert_eq!(
        read(&configured, &[("AWS_PROFILE", "default")]).unwrap().region.as_deref(),
        Some("eu-central-1")
    );
    assert!(read(&settings, &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")]).unwrap().keys.is_none());
}

#[tokio::test]
async fn keys_come_whole_from_one_place() {
    let home = home();
    let home = ("HOME", home.path().to_str().unwrap());
    let keys = async |variables: &[(&str, &str)]| {
        let builder = builder(&url(), &S3Settings::default(), &environment(variables)).unwrap();
        let keys = builder.build().unwrap().credentials().get_credential().await.unwrap();
        (keys.key_id.clone(), keys.token.clone())
    };
    assert_eq!(keys(&[home, ("AWS_SESSION_TOKEN", "left over")]).await, ("AKIADEFAULT".to_owned(), None));
    let named = [home, ("AWS_PROFILE", "other"), ("AWS_SESSION_TOKEN", "left over")];
    assert_eq!(keys(&named).await, ("AKIAOTHER".to_owned(), Some("canary-token".to_owned())));
    let own = [
        home,
        ("AWS_ACCESS_KEY_ID", "AKIAOWN"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_SESSION_TOKEN", "mine"),
    ];
    assert_eq!(keys(&own).await, ("AKIAOWN".to_owned(), Some("mine".to_owned())));
}

#[test]
fn profiles_without_keys_are_refused_with_what_to_do() {
    for (name, says) in [
        ("sso", "signs in by sso_session"),
        ("half", "no aws_secret_access_key"),
        ("absent", "list-profiles"),
    ] {
        let error = read(&S3Settings::default(), &[("AWS_PROFILE", name)]).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains(name), "{error}");
    }
    let missing =
        S3Settings { credentials_file: Some("/nowhere/credentials".into()), ..S3Settings::default() };
    assert!(
        Profile::read(&missing, &environment(&[])).unwrap_err().to_string().contains("/nowhere/credentials")
    );
}

#[test]
fn endpoints_without_tls_must_be_allowed() {
    let plain = S3Settings { endpoint: Some("http://127.0.0.1:1".to_owned()), ..S3Settings::default() };
    let error = s3(&url(), &plain, &environment(&[])).unwrap_err().to_string();
    assert!(error.contains("allow_http"), "{error}");
    assert!(s3(&url(), &plain, &environment(&[("AWS_ALLOW_HTTP", "true")])).is_ok());
    assert!(s3(&url(), &S3Settings { allow_http: Some(true), ..plain }, &environment(&[])).is_ok());
    let secret = S3Settings { endpoint: Some("https://key:canary@host".to_owned()), ..S3Settings::default() };
    let error = s3(&url(), &secret, &environment(&[])).unwrap_err().to_string();
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn endpoints_get_the_bucket_where_it_belongs() {
    assert_eq!(address("https://s3.example:9000/", &url(), false).unwrap(), "https://s3.example:9000");
    assert_eq!(address("https://s3.example:9000", &url(), true).unwrap(), "https://bucket.s3.example:9000");
    assert!(address("s3.example", &url(), true).is_err());
}

#[test]
fn an_authority_must_be_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let settings = S3Settings { ca_certificate: Some(file.clone()), ..S3Settings::default() };
    let refusal = || s3(&url(), &settings, &environment(&[])).unwrap_err().to_string();
    assert!(refusal().contains("can't be read"), "{}", refusal());
    std::fs::write(&file, "no certificate").unwrap();
    assert!(refusal().contains("no certificate"), "{}", refusal());
}

#[test]
fn what_is_printed_of_a_store_has_no_secrets() {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIACANARY"),
        ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
        ("AWS_SESSION_TOKEN", "canary-token"),
    ];
    let environment = environment(&variables);
    let (store, _) = s3(&url(), &S3Settings::default(), &environment).unwrap();
    let printed = format!("{store:?} {store} {environment:?}");
    assert!(!printed.contains("canary") && !printed.contains("AKIA"), "{printed}");
}
