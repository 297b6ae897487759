//! Where a password comes from: stdin or the environment when told so, else the terminal. Never a
//! command-line argument (every user of the machine can read those), and never a prompt where
//! nobody can answer.

use std::io::{IsTerminal as _, Read as _};

use basin_catalog::ErrorClass;

use super::error::{CommandError, Result};

/// The variable that carries a password to commands that need one.
pub(crate) const VARIABLE: &str = "BASIN_PASSWORD";

/// Source: NIST SP 800-63B, 5.1.1.1.
const LEAST_CHARACTERS: usize = 8;

/// Reads the password of an existing user, e.g. to connect to a server.
///
/// # Errors
/// `Usage` when there is no terminal to ask on.
pub(crate) fn existing(user: &str) -> Result<String> {
    match std::env::var(VARIABLE) {
        Ok(password) => Ok(password),
        Err(_) => ask(&format!("Password of {user}: "), VARIABLE),
    }
}

/// Reads a password to be set: from stdin, the environment, or twice from the terminal.
///
/// # Errors
/// `Usage` when there is no terminal to ask on, `Refused` for an empty or mistyped password.
pub(crate) fn new(user: &str, from_stdin: bool) -> Result<String> {
    let password = if from_stdin {
        first_line_of_stdin()?
    } else if let Ok(password) = std::env::var(VARIABLE) {
        password
    } else {
        let first = ask(&format!("New password of {user}: "), "--password-stdin or BASIN_PASSWORD")?;
        if ask("Again: ", VARIABLE)? != first {
            return Err(CommandError::refused(ErrorClass::InvalidInput, "the two passwords differ"));
        }
        first
    };
    long_enough(&password)?;
    Ok(password)
}

/// Checks that a password to be set can't be guessed by trying short ones.
///
/// # Errors
/// `Refused` as invalid.
pub(crate) fn long_enough(password: &str) -> Result<()> {
    if password.chars().count() >= LEAST_CHARACTERS {
        return Ok(());
    }
    let what = format!("the password is too short: it needs at least {LEAST_CHARACTERS} characters");
    Err(CommandError::refused(ErrorClass::InvalidInput, what))
}

fn first_line_of_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(64 << 10)
        .read_to_string(&mut text)
        .map_err(|source| CommandError::io("the password can't be read from stdin", source))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn ask(question: &str, instead: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(CommandError::usage(
            "a password is needed and there is no terminal to ask on",
            format!("give it with {instead}"),
        ));
    }
    rpassword::prompt_password(question)
        .map_err(|source| CommandError::io("the password can't be read from the terminal", source))
}

#[cfg(test)]
mod tests {
    use super::long_enough;

    #[test]
    fn short_passwords_are_refused() {
        assert!(long_enough("1234567").is_err());
        assert!(long_enough("一二三四五六七八").is_ok());
    }
}
