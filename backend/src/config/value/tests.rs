//! How values are read, and what is said of those that cannot be.

use super::*;

fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

fn toml(value: &str) -> Raw {
    Raw::Toml(parse_value(value).unwrap())
}

#[track_caller]
fn reads<T: SettingValue + PartialEq + fmt::Debug>(raw: &Raw, value: T) {
    assert_eq!(T::read(raw), Ok(value));
}

#[test]
fn numbers_are_read_within_their_bounds() {
    let read = |raw: Raw| read_number::<u32>(&raw, &(1..=100));
    for good in [text("1"), text(" 100 "), toml("1"), toml("100")] {
        assert!(read(good).is_ok());
    }
    for bad in [text("0"), text("101"), text("-1"), text("soon"), text(""), text("1.5"), toml("0"), toml("\"1\"")] {
        assert_eq!(read(bad).unwrap_err(), "a whole number from 1 to 100");
    }
    assert!(read_number::<u32>(&text("4294967296"), &(0..=u64::MAX)).is_err());
    assert!(read_number::<u64>(&toml("-1"), &(0..=u64::MAX)).is_err());
}

#[test]
fn a_text_that_looks_like_a_number_stays_a_text() {
    reads(&text("12345678"), "12345678".to_owned());
    reads(&text("true"), "true".to_owned());
    assert!(String::read(&toml("12345678")).is_err());
}

#[test]
fn lists_are_read_with_commas_or_as_json() {
    let both = vec!["https://a.example".to_owned(), "https://b.example".to_owned()];
    reads(&text("https://a.example, https://b.example"), both.clone());
    reads(&text(r#"["https://a.example","https://b.example"]"#), both.clone());
    reads(&toml(r#"["https://a.example", "https://b.example"]"#), both);
    reads(&text(""), Vec::<String>::new());
    reads(&text("[]"), Vec::<String>::new());
    reads(&text(r#"["*"]"#), vec!["*".to_owned()]);
    for bad in [text("[\"a\""), text("[1]"), toml("\"a\""), toml("[1]")] {
        assert!(Vec::<String>::read(&bad).is_err());
    }
}

#[test]
fn proxies_are_addresses_or_networks() {
    let nets: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.1/32".parse().unwrap()];
    reads(&text("10.0.0.0/8,192.0.2.1"), nets);
    assert!(Vec::<IpNet>::read(&text("10.0.0.0/8,proxy.example")).is_err());
}

#[test]
fn addresses_words_and_flags_are_read_exactly() {
    reads(&text("[::1]:2900"), "[::1]:2900".parse::<SocketAddr>().unwrap());
    reads(&text(""), None::<SocketAddr>);
    reads(&text("sync"), DurabilityMode::Sync);
    reads(&toml("\"interval\""), DurabilityMode::Interval);
    reads(&text("true"), true);
    reads(&toml("false"), false);
    assert_eq!(DurabilityMode::read(&text("maybe")).unwrap_err(), "\"sync\" or \"interval\"");
    for bad in ["nowhere", "127.0.0.1", ":2900", ""] {
        assert!(SocketAddr::read(&text(bad)).is_err(), "{bad:?}");
    }
    assert!(bool::read(&text("yes")).is_err());
    assert!(PathBuf::read(&text("")).is_err());
}

#[test]
fn what_is_written_reads_back() {
    #[track_caller]
    fn round<T: SettingValue + PartialEq + fmt::Debug>(value: T) {
        let written = value.written().unwrap();
        assert_eq!(T::read(&toml(&written)).unwrap(), value, "{written}");
    }
    round(7_u64);
    round(true);
    round("with \"quotes\" and \\ and 'both'".to_owned());
    round(PathBuf::from("./data"));
    round("[::1]:2900".parse::<SocketAddr>().unwrap());
    round(vec!["a".to_owned(), "b\"".to_owned()]);
    round(vec!["10.0.0.0/8".parse::<IpNet>().unwrap()]);
    round(LogFormat::Json);
    round(DurabilityMode::Interval);
}

#[test]
fn s09_a_hidden_text_is_neither_written_nor_shown() {
    let hidden = Some(Hidden("a secret".to_owned()));
    assert_eq!(hidden.written(), None);
    assert!(!format!("{hidden:?}").contains("a secret"));
}
