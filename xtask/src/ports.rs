//! Ports: free ones, and clear words about busy ones.

use std::net::{Ipv4Addr, TcpListener};

use crate::failure::Failure;

/// Complains if something listens on `port` already; `option` is what to type to take another one.
pub(crate) fn check_free(port: u16, option: &str, address: Ipv4Addr) -> Result<(), Failure> {
    TcpListener::bind((address, port)).map(drop).map_err(|error| {
        Failure::new(
            "port-busy",
            format!("port {port} cannot be used ({error}). End the program that holds it, or take another port: {option} <port>."),
        )
    })
}

/// Ports of nobody, all different: each is held until the last is found.
pub(crate) fn free<const N: usize>() -> Result<[u16; N], Failure> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(|error| no_port(&error))?;
        *port = listener.local_addr().map_err(|error| no_port(&error))?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn no_port(error: &std::io::Error) -> Failure {
    Failure::new("no-free-port", format!("the system gives no free port: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_names_the_option_that_changes_it() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let failure = check_free(port, "--mqtt-port", Ipv4Addr::LOCALHOST).unwrap_err();
        assert_eq!(failure.code(), "port-busy");
        assert!(failure.to_string().contains(&format!("port {port} ")), "{failure}");
        assert!(failure.to_string().contains("--mqtt-port <port>"), "{failure}");
    }

    #[test]
    fn a_port_held_on_loopback_is_busy_for_all_interfaces_too() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        assert!(check_free(port, "--port", Ipv4Addr::UNSPECIFIED).is_err());
    }

    #[test]
    fn free_ports_differ_and_can_be_used() {
        let [one, two] = free().unwrap();
        assert_ne!(one, two);
        check_free(one, "--port", Ipv4Addr::UNSPECIFIED).unwrap();
        check_free(two, "--port", Ipv4Addr::UNSPECIFIED).unwrap();
    }
}
