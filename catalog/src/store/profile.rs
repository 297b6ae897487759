//! Profile: keys, region and endpoint from the shared files of AWS's tools (`~/.aws/credentials`, `~/.aws/config`).
//!
//! Only keys that stand in the files are used: ways to sign in that need a program or a service of their own are refused
//! with what to do instead. Keys are never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use ini::{Ini, ParseOption, Properties};

use super::cloud::Environment;
use super::settings::S3Settings;
use crate::error::{CatalogError, Result};

const DEFAULT: &str = "default";
/// Ways to sign in that this does not follow.
const OTHER_WAYS: [&str; 5] =
    ["role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file"];

/// What a profile says.
#[derive(Debug, Default)]
pub(super) struct Profile {
    pub(super) keys: Option<Keys>,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
}

/// Keys of an account.
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Profile {
    /// Reads the profile that is named, or the one called `default` when there is one.
    ///
    /// # Errors
    /// `Invalid` when the named profile is not there or holds no keys, or a file can't be read.
    pub(super) fn read(settings: &S3Settings, environment: &Environment) -> Result<Self> {
        let named = environment.get("AWS_PROFILE").or(settings.profile.as_deref());
        let name = named.unwrap_or(DEFAULT);
        let credentials = environment.get("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
        let credentials = credentials.or_else(|| settings.credentials_file.clone());
        let asked_for = credentials.is_some() || named.is_some();
        let credentials = credentials.or_else(|| environment.in_home(".aws/credentials"));
        let config = environment.get("AWS_CONFIG_FILE").map(PathBuf::from);
        let config = config.or_else(|| environment.in_home(".aws/config"));
        let credentials = section(credentials.as_deref(), &[name.to_owned()], asked_for && config.is_none())?;
        let config = section(config.as_deref(), &[format!("profile {name}"), name.to_owned()], false)?;
        let sections = [credentials, config];
        if named.is_some() && sections.iter().all(Option::is_none) {
            return Err(wrong(
                name,
                "it is in neither of the shared files: see `aws configure list-profiles`",
            ));
        }
        let value = |key: &str| {
            let found = sections.iter().flatten().find_map(|section| section.get(key));
            found.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        // As in AWS's own order, an identity that a platform gives comes before a profile that nobody named.
        if named.is_none() && environment.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() {
            return Ok(Self { keys: None, region: value("region"), endpoint: value("endpoint_url") });
        }
        let keys = match (value("aws_access_key_id"), value("aws_secret_access_key")) {
            (Some(id), Some(secret)) => Some(Keys { id, secret, token: value("aws_session_token") }),
            (None, None) => None,
            (Some(_), None) => return Err(wrong(name, "it has no aws_secret_access_key")),
            (None, Some(_)) => return Err(wrong(name, "it has no aws_access_key_id")),
        };
        if let (None, Some(_)) = (&keys, named) {
            let other = OTHER_WAYS.iter().find(|way| value(way).is_some());
            let how = other.map_or("it holds no keys".to_owned(), |way| format!("it signs in by {way}"));
            return Err(wrong(
                name,
                &format!(
                    "{how}, and Basin takes keys: `aws configure export-credentials --profile {name} --format env` \
                     gives them for the environment"
                ),
            ));
        }
        Ok(Self { keys, region: value("region"), endpoint: value("endpoint_url") })
    }
}

/// The first of these sections of a file; none when there is no such section or file.
fn section(file: Option<&Path>, names: &[String], must_exist: bool) -> Result<Option<Properties>> {
    let Some(file) = file else { return Ok(None) };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => return Ok(None),
        Err(error) => return Err(unreadable(file, &error.to_string())),
    };
    // As AWS's tools read them: `\`, quotes and `#` within a value belong to it, indented lines to the line above.
    let option = ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        enabled_preserve_key_leading_whitespace: true,
        ..ParseOption::default()
    };
    let place = |error: ini::ParseError| format!("line {}: {}", error.line, error.msg);
    let content = Ini::load_from_str_opt(&text, option).map_err(|error| unreadable(file, &place(error)))?;
    Ok(names.iter().find_map(|name| content.section(Some(name.as_str()))).cloned())
}

fn unreadable(file: &Path, reason: &str) -> CatalogError {
    CatalogError::invalid(format!("{}", file.display()), format!("it can't be read: {reason}"))
}

fn wrong(name: &str, reason: &str) -> CatalogError {
    CatalogError::invalid(format!("AWS profile {name}"), reason)
}
