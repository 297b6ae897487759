//! What the demo says on how to connect.

use std::net::SocketAddr;

use url::form_urlencoded;

use super::ANALYST;

/// Ways to connect to the server at `address`, to be copied from the terminal.
pub(super) fn how_to(address: SocketAddr, password: &str) -> String {
    let in_shell = password.replace('\'', r"'\''");
    let in_url: String = form_urlencoded::byte_serialize(password.as_bytes()).collect();
    format!(
        r#"
Connect as user {ANALYST} with password {password}

  this binary  BASIN_PASSWORD='{in_shell}' basin sql --server grpc://{address} --user {ANALYST}

  Python       pip install adbc-driver-flightsql pyarrow pandas

               import adbc_driver_flightsql.dbapi as flight_sql
               with flight_sql.connect("grpc://{address}", db_kwargs={{"username": "{ANALYST}", "password": {password:?}}}, autocommit=True) as connection:
                   with connection.cursor() as cursor:
                       cursor.execute("SELECT * FROM basin.datasets")
                       print(cursor.fetch_df())

  JDBC         jdbc:arrow-flight-sql://{address}/?useEncryption=false&user={ANALYST}&password={in_url}

Ctrl-C stops the server; the store stays.
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_passwords_are_filled_in() {
        let text = how_to("127.0.0.1:4000".parse().unwrap(), "pw");
        assert!(text.contains(
            "jdbc:arrow-flight-sql://127.0.0.1:4000/?useEncryption=false&user=analyst&password=pw"
        ));
        assert!(text.contains(
            r#"connect("grpc://127.0.0.1:4000", db_kwargs={"username": "analyst", "password": "pw"}, autocommit=True)"#
        ));
    }

    #[test]
    fn odd_passwords_survive_each_way() {
        let text = how_to("127.0.0.1:4000".parse().unwrap(), r#"it's "&" fine"#);
        assert!(text.contains(r#"BASIN_PASSWORD='it'\''s "&" fine' basin"#), "{text}");
        assert!(text.contains(r#""password": "it's \"&\" fine"}"#), "{text}");
        assert!(text.contains("password=it%27s+%22%26%22+fine"), "{text}");
    }
}
