//! The address of a listener, as people write it: `127.0.0.1:8700`, `localhost:8700`, `8700`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Parses an address. A port alone, and `localhost`, mean this machine only: what is beyond it has to be written out.
pub(in crate::cli) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let here = |port: &str| port.parse().ok().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    if let Some(address) = here(text.strip_prefix("localhost:").unwrap_or(text)) {
        return Ok(address);
    }
    Err(objection(text))
}

/// What is wrong with it. The caller's message has the text itself.
fn objection(text: &str) -> String {
    let wanted =
        "an IP address and a port, such as 127.0.0.1:8700 for this machine or 0.0.0.0:8700 for all its networks";
    if text.contains("://") {
        return format!("it must be {wanted}, without http:// or https://");
    }
    if text == "localhost" || text.parse::<IpAddr>().is_ok() {
        return format!("the port is missing: it must be {wanted}");
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    if !port.is_empty() && port.parse::<u16>().is_err() {
        return format!("its port is not a number from 0 to 65535: it must be {wanted}");
    }
    if text.is_empty() {
        return format!("it must be {wanted}");
    }
    if port.is_empty() && host.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("a port is a number from 0 to 65535: it must be {wanted}");
    }
    match host {
        "" | "*" => format!("it does not say on which addresses: it must be {wanted}"),
        _ => format!("host names other than localhost are not looked up: it must be {wanted}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_write_it_or_the_message_says_what_is_wanted() {
        for (text, expected) in [
            ("127.0.0.1:8700", Ok("127.0.0.1:8700")),
            (" 0.0.0.0:80 ", Ok("0.0.0.0:80")),
            ("[::1]:8700", Ok("[::1]:8700")),
            ("localhost:8700", Ok("127.0.0.1:8700")),
            ("8700", Ok("127.0.0.1:8700")),
            ("0", Ok("127.0.0.1:0")),
            ("localhost", Err("the port is missing")),
            ("127.0.0.1", Err("the port is missing")),
            ("::1", Err("the port is missing")),
            (":8700", Err("it does not say on which addresses")),
            ("*:8700", Err("it does not say on which addresses")),
            ("http://127.0.0.1:8700", Err("without http://")),
            ("example.com:8700", Err("host names other than localhost")),
            ("nowhere", Err("host names other than localhost")),
            ("127.0.0.1:http", Err("its port is not a number")),
            ("127.0.0.1:70000", Err("its port is not a number")),
            ("70000", Err("a port is a number from 0 to 65535")),
            ("", Err("it must be an IP address and a port, such as 127.0.0.1:8700")),
        ] {
            match (listen_address(text), expected) {
                (Ok(address), Ok(expected)) => assert_eq!(address.to_string(), expected, "{text}"),
                (Err(problem), Err(expected)) => {
                    assert!(problem.contains(expected) && problem.contains("127.0.0.1:8700"), "{text}: {problem}");
                }
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }
}
