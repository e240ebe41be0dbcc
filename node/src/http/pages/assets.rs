//! The stylesheet and the icon, built into the binary and served under names that hold their hash.
//!
//! A changed file has a new name, so browsers may keep the old one for ever.
//! The hash only tells versions apart; it protects nothing.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;

/// The content type of a stylesheet.
pub(super) const CSS: &str = "text/css; charset=utf-8";

/// Stands where a page has no tenant.
pub(super) const PRODUCT: &str = "Vaultara";

const STYLESHEET: &str = include_str!("../../../assets/vaultara.css");
const ICON: &str = include_str!("../../../assets/icon.svg");

static STYLESHEET_PATH: LazyLock<String> = LazyLock::new(|| path_of(STYLESHEET, "css"));
static ICON_PATH: LazyLock<String> = LazyLock::new(|| path_of(ICON, "svg"));

/// The stylesheet's path on this server.
pub(super) fn stylesheet_path() -> &'static str {
    STYLESHEET_PATH.as_str()
}

/// The icon's path on this server.
pub(super) fn icon_path() -> &'static str {
    ICON_PATH.as_str()
}

pub(super) async fn stylesheet() -> impl IntoResponse {
    immutable(CSS, STYLESHEET)
}

pub(super) async fn icon() -> impl IntoResponse {
    immutable("image/svg+xml", ICON)
}

/// An answer that browsers may keep for ever, because its path names its content.
pub(crate) fn immutable<B: IntoResponse>(
    content_type: &'static str,
    body: B,
) -> impl IntoResponse + use<B> {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body)
}

fn path_of(content: &str, extension: &str) -> String {
    format!("/assets/vaultara-{:016x}.{extension}", fnv1a(content.as_bytes()))
}

/// The 64-bit FNV-1a hash.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_gives_the_published_values() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn another_content_gets_another_name() {
        assert_ne!(path_of("a{}", "css"), path_of("b{}", "css"));
    }
}
