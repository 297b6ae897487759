//! Where a result goes: stdout, or a file that appears whole or not at all.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::Format;
use crate::commands::error::{CommandError, Result};

/// Where a result is written.
#[derive(Debug)]
pub(crate) enum Target {
    Stdout,
    /// A file under a name of its own until it is complete.
    File {
        file: BufWriter<File>,
        part: Part,
        path: PathBuf,
    },
}

/// A file that is removed unless it is kept.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    kept: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            // It is only a leftover; the error that led here is the one to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Target {
    /// Opens the file, or stdout when none is named.
    ///
    /// # Errors
    /// `Usage` when a binary format would go to a terminal.
    pub(crate) fn open(path: Option<&Path>, format: Format) -> Result<Self> {
        let Some(path) = path else {
            if matches!(format, Format::Arrow | Format::Parquet) && std::io::stdout().is_terminal() {
                return Err(CommandError::usage(
                    "this format is not text and stdout is a terminal",
                    "name a file with --output",
                ));
            }
            return Ok(Self::Stdout);
        };
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let file = File::create(&part)
            .map_err(|source| CommandError::io(format!("{} can't be written", path.display()), source))?;
        let part = Part { path: part, kept: false };
        Ok(Self::File { file: BufWriter::new(file), part, path: path.to_owned() })
    }

    /// Whether the result becomes a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout => std::io::stdout().lock().write_all(bytes).map_err(CommandError::output),
            Self::File { file, .. } => file.write_all(bytes).map_err(CommandError::output),
        }
    }

    /// Completes the result: a file gets its name now.
    pub(crate) fn finish(self) -> Result<()> {
        match self {
            Self::Stdout => std::io::stdout().lock().flush().map_err(CommandError::output),
            Self::File { mut file, mut part, path } => {
                file.flush().map_err(CommandError::output)?;
                std::fs::rename(&part.path, &path).map_err(CommandError::output)?;
                part.kept = true;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_appear_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.csv");
        let mut target = Target::open(Some(&path), Format::Csv).unwrap();
        target.write(b"a\n1\n").unwrap();
        drop(target);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut target = Target::open(Some(&path), Format::Csv).unwrap();
        target.write(b"a\n1\n").unwrap();
        target.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"a\n1\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
