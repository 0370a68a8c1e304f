use super::*;

fn of(trusted: &[&str], peer: &str, headers: &[(&'static str, &str)]) -> String {
    let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    client_address(&trusted, Peer((peer.parse::<IpAddr>().unwrap(), 40_000).into()), &map).to_string()
}

#[test]
fn s08_forwarding_headers_of_a_stranger_do_not_count() {
    assert_eq!(of(&[], "203.0.113.9", &[("x-forwarded-for", "1.1.1.1"), ("x-real-ip", "1.1.1.1")]), "203.0.113.9");
    assert_eq!(of(&["10.0.0.0/8"], "203.0.113.9", &[("x-forwarded-for", "1.1.1.1")]), "203.0.113.9");
}

#[test]
fn s08_behind_a_trusted_proxy_the_last_hop_that_is_none_is_the_client() {
    let trusted = ["10.0.0.0/8"];
    assert_eq!(of(&trusted, "10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 198.51.100.7, 10.0.0.2")]), "198.51.100.7");
    assert_eq!(
        of(&trusted, "10.0.0.1", &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "198.51.100.7")]),
        "198.51.100.7"
    );
    assert_eq!(of(&trusted, "10.0.0.1", &[("x-real-ip", "198.51.100.7")]), "198.51.100.7");
    assert_eq!(of(&trusted, "10.0.0.1", &[("x-forwarded-for", "6.6.6.6, nonsense")]), "10.0.0.1");
    assert_eq!(of(&trusted, "10.0.0.1", &[]), "10.0.0.1");
}

#[test]
fn ports_brackets_and_mapped_addresses_are_understood() {
    let trusted = ["10.0.0.0/8"];
    assert_eq!(of(&trusted, "::ffff:10.0.0.1", &[("x-forwarded-for", "198.51.100.7:4711")]), "198.51.100.7");
    assert_eq!(of(&trusted, "10.0.0.1", &[("x-forwarded-for", "[2001:db8::1]:443")]), "2001:db8::1");
}
