//! Parameters of statements and live queries: the values of `$1`, `$2` …
//!
//! Values travel beside the SQL and are never pasted into it.

use serde_json::Value as Json;

/// What can stand for the parameters of a statement: `()`, a slice or `Vec` of JSON values, or [`params!`](macro@crate::params).
pub trait IntoParams {
    /// The values of `$1`, `$2` …
    fn into_params(self) -> Vec<Json>;
}

impl IntoParams for () {
    fn into_params(self) -> Vec<Json> {
        Vec::new()
    }
}

impl IntoParams for Vec<Json> {
    fn into_params(self) -> Vec<Json> {
        self
    }
}

impl IntoParams for &[Json] {
    fn into_params(self) -> Vec<Json> {
        self.to_vec()
    }
}

impl<const N: usize> IntoParams for [Json; N] {
    fn into_params(self) -> Vec<Json> {
        self.into()
    }
}

/// Turns one value into a parameter. Used by [`params!`](macro@crate::params).
///
/// Whole numbers beyond 2^53 keep all their digits; bytes are given as base64 text.
pub trait IntoParam {
    /// The value as it travels.
    fn into_param(self) -> Json;
}

macro_rules! through_json {
    ($($type:ty)*) => {$(
        impl IntoParam for $type {
            fn into_param(self) -> Json {
                Json::from(self)
            }
        }
    )*};
}

through_json! { bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 String &str Json }

impl IntoParam for usize {
    fn into_param(self) -> Json {
        Json::from(self)
    }
}

impl IntoParam for i128 {
    fn into_param(self) -> Json {
        Json::from(self.to_string())
    }
}

impl IntoParam for &String {
    fn into_param(self) -> Json {
        Json::from(self.as_str())
    }
}

impl IntoParam for &Json {
    fn into_param(self) -> Json {
        self.clone()
    }
}

impl<T: IntoParam> IntoParam for Option<T> {
    fn into_param(self) -> Json {
        self.map_or(Json::Null, IntoParam::into_param)
    }
}

/// The values of `$1`, `$2` … of a statement.
///
/// ```
/// let name = String::from("anna");
/// let params = kalam_link::params![7, &name, None::<bool>];
/// assert_eq!(params, serde_json::json!([7, "anna", null]).as_array().unwrap().clone());
/// ```
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        ::std::vec::Vec::from([$($crate::IntoParam::into_param($value)),*])
    };
}
