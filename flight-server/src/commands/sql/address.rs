//! The address of a Flight SQL server, as `--server` names it.

use std::str::FromStr;

use url::Url;

/// The port that Basin listens on unless told otherwise.
const DEFAULT_PORT: u16 = 32010;

/// Where a Flight SQL server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl Address {
    /// The address as gRPC's transport wants it.
    pub(crate) fn endpoint(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a server: write grpc://host:port, or grpc+tls://host:port for TLS");
        let url = Url::parse(text).map_err(|_| wrong())?;
        let tls = match url.scheme() {
            "grpc" | "grpc+tcp" => false,
            "grpc+tls" => true,
            _ => return Err(wrong()),
        };
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.username().is_empty();
        let host = url.host_str().filter(|host| !host.is_empty() && bare).ok_or_else(wrong)?;
        Ok(Self { host: host.to_owned(), port: url.port().unwrap_or(DEFAULT_PORT), tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.endpoint());
        assert_eq!(read("grpc://127.0.0.1:4000").unwrap(), "http://127.0.0.1:4000");
        assert_eq!(read("grpc+tls://basin.example").unwrap(), "https://basin.example:32010");
        assert_eq!(read("grpc://[::1]:5").unwrap(), "http://[::1]:5");
        for wrong in ["localhost:32010", "http://h:1", "grpc://", "grpc://h/x", "grpc://u@h"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
