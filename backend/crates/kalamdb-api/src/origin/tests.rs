use super::*;

fn admits(allowed: &[&str], origin: Option<&str>) -> bool {
    let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    let mut headers = HeaderMap::new();
    headers.insert(HOST, "db.example.com:2900".parse().unwrap());
    if let Some(origin) = origin {
        headers.insert(ORIGIN, origin.parse().unwrap());
    }
    AllowedOrigins::parse(&allowed).unwrap().admit(&headers)
}

#[test]
fn s07_without_a_list_only_the_same_origin_and_clients_that_send_none_come_in() {
    assert!(admits(&[], None));
    assert!(admits(&[], Some("http://db.example.com:2900")));
    assert!(admits(&[], Some("https://DB.example.com:2900")));
    for stranger in ["http://db.example.com", "http://evil.example", "null", "", "file://", "http://db.example.com:29"]
    {
        assert!(!admits(&[], Some(stranger)), "{stranger}");
    }
}

#[test]
fn s07_a_list_lets_in_those_it_names() {
    let list = ["https://app.example.com/", "http://LOCALHOST:5173"];
    assert!(admits(&list, Some("https://app.example.com")));
    assert!(admits(&list, Some("http://localhost:5173")));
    assert!(admits(&list, Some("http://db.example.com:2900")));
    for stranger in ["http://app.example.com", "https://app.example.com.evil.example", "https://xapp.example.com"] {
        assert!(!admits(&list, Some(stranger)), "{stranger}");
    }
}

#[test]
fn s07_a_star_lets_all_in() {
    assert!(admits(&["*"], Some("https://anything.example")));
    assert!(admits(&["*"], Some("null")));
}

#[test]
fn s07_two_origins_are_no_origin() {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, "a.example".parse().unwrap());
    headers.append(ORIGIN, "http://a.example".parse().unwrap());
    headers.append(ORIGIN, "http://b.example".parse().unwrap());
    assert!(!AllowedOrigins::SameOrigin.admit(&headers));
}

#[test]
fn a_port_that_goes_without_saying_may_be_said() {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, "a.example".parse().unwrap());
    headers.insert(ORIGIN, "https://a.example:443".parse().unwrap());
    assert!(AllowedOrigins::SameOrigin.admit(&headers));
}

#[test]
fn what_is_no_origin_is_refused_by_name() {
    for bad in ["example.com", "https://", "https://a.example/path", "https://*.example", "https://a@b"] {
        assert_eq!(AllowedOrigins::parse(&[bad.to_owned()]), Err(InvalidOrigin(bad.to_owned())));
    }
}
