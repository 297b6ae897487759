//! `basin user link` and `basin user unlink`: which client certificates stand for a user.

use std::path::{Path, PathBuf};

use basin_catalog::{CertificateLink, Change, Digest, ErrorClass, UserName};
use clap::Args;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{Done, known};
use crate::commands::error::{CommandError, Result};
use crate::commands::session::{Session, author};

#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    /// The user
    name: UserName,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct UnlinkArgs {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The certificate (PEM); of several the first
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// SHA-256 of the certificate in DER form: 64 hexadecimal digits, colons between them or not
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    certificate_sha256: Option<Digest>,
}

/// Reads a fingerprint as `openssl x509 -fingerprint -sha256` and others write it.
fn fingerprint(text: &str) -> std::result::Result<Digest, String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect::<String>().to_ascii_lowercase();
    digits.parse().map_err(|_| "write the 64 hexadecimal digits of the SHA-256 fingerprint".to_owned())
}

pub(super) async fn link(session: &Session, args: LinkArgs) -> Result<()> {
    let certificate = digest(args.which)?;
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    known(&snapshot, &args.name)?;
    let user = args.name.to_string();
    let change = Change::LinkCertificate(CertificateLink { certificate, user: args.name });
    let snapshot = catalog.commit(&snapshot, &author(), vec![change]).await?.id().0;
    session.answer(&Done { user, outcome: "linked to the certificate", roles_created: vec![], snapshot })
}

pub(super) async fn unlink(session: &Session, args: UnlinkArgs) -> Result<()> {
    let certificate = digest(args.which)?;
    let catalog = session.open().await?;
    let snapshot = catalog.latest().await?;
    let Some(user) = snapshot.certificates().get(&certificate) else {
        return Err(CommandError::refused_with(
            ErrorClass::NotFound,
            format!("the certificate {certificate} is linked to no user"),
            "`basin --json user list` shows which are",
        ));
    };
    let user = user.to_string();
    let changes = vec![Change::UnlinkCertificate(certificate)];
    let snapshot = catalog.commit(&snapshot, &author(), changes).await?.id().0;
    session.answer(&Done { user, outcome: "unlinked from the certificate", roles_created: vec![], snapshot })
}

fn digest(which: Which) -> Result<Digest> {
    match (which.certificate, which.certificate_sha256) {
        (Some(file), None) => read(&file),
        (None, Some(digest)) => Ok(digest),
        (Some(_), Some(_)) | (None, None) => Err(CommandError::usage(
            "which certificate is not clear",
            "give either --certificate FILE or --certificate-sha256 HEX",
        )),
    }
}

fn read(file: &Path) -> Result<Digest> {
    let text = std::fs::read(file)
        .map_err(|source| CommandError::io(format!("can't read {}", file.display()), source))?;
    let certificate = CertificateDer::from_pem_slice(&text).map_err(|_| {
        CommandError::refused_with(
            ErrorClass::InvalidInput,
            format!("{} has no certificate in PEM form", file.display()),
            "it begins with -----BEGIN CERTIFICATE-----",
        )
    })?;
    Ok(Digest::of(certificate.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_tools_write_them() {
        let plain = Digest::of(b"certificate");
        let pairs: Vec<String> = plain
            .as_hex()
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
            .collect();
        assert_eq!(fingerprint(&pairs.join(":")).unwrap(), plain);
        assert_eq!(fingerprint(plain.as_hex()).unwrap(), plain);
        assert!(fingerprint("12:34").is_err());
    }
}
