//! Where a list goes on: the last entry that was seen, authenticated.
//!
//! A cursor counts for one tenant, one resource, one filter and one order: its tag covers all of
//! them, so nobody can write one, change one or take one elsewhere. Invariant: a cursor that does
//! not verify is not read.

use actors::{Context, runtime::keyring::MacPurpose};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::id::TenantId;

use crate::http::error::{Class, Failure};

const VERSION: u8 = 2;
const TAG: usize = 32;
/// Version, part and id.
const HEAD: usize = 18;

/// Longest cursor, characters: an index text is bounded by its field, so this is never reached.
const LENGTH_MAX: usize = 6 << 10;

/// What a cursor belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The tenant whose list it is.
    pub tenant: TenantId,
    /// The resource.
    pub resource: &'a str,
    /// The filter as it was given; empty for none.
    pub filter: &'a str,
    /// The order as it was given; empty for the resource's own.
    pub sort: &'a str,
}

/// The last entry of a page: its text in the index, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Which stretch of the list, when it has several.
    pub part: u8,
    /// The text.
    pub text: Vec<u8>,
    /// The id.
    pub id: [u8; 16],
}

impl Position {
    /// The position as a cursor.
    pub fn seal(&self, ctx: &Context, scope: &Scope<'_>) -> String {
        let mut bytes = vec![VERSION, self.part];
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.text);
        let tag = ctx.keyring().mac(MacPurpose::Cursor, scope.tenant, &parts(scope, &bytes));
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position behind a cursor.
    ///
    /// # Errors
    /// [`Class::INVALID_REQUEST`] for one that was not made for this list.
    pub fn open(ctx: &Context, scope: &Scope<'_>, cursor: &str) -> Result<Self, Failure> {
        verified(cursor, |bytes, tag| {
            let parts = parts(scope, bytes);
            ctx.keyring().mac_matches(MacPurpose::Cursor, scope.tenant, &parts, tag)
        })
        .ok_or_else(|| {
            Failure::new(Class::INVALID_REQUEST)
                .detail("the cursor was not made for this list")
                .field("cursor", "is not valid here")
        })
    }
}

fn parts<'a>(scope: &'a Scope<'_>, bytes: &'a [u8]) -> [&'a [u8]; 4] {
    [scope.resource.as_bytes(), scope.filter.as_bytes(), scope.sort.as_bytes(), bytes]
}

fn verified(cursor: &str, genuine: impl FnOnce(&[u8], &[u8]) -> bool) -> Option<Position> {
    if cursor.len() > LENGTH_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (bytes, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG)?)?;
    if !genuine(bytes, tag) {
        return None;
    }
    let (head, text) = bytes.split_at_checked(HEAD)?;
    let ([version, part], id) = head.split_first_chunk::<2>()?;
    let id = id.try_into().ok()?;
    (*version == VERSION).then(|| Position { part: *part, text: text.to_vec(), id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(text: &[u8]) -> String {
        let bytes = [&[VERSION, 3][..], &[7; 16], text, &[9; TAG]].concat();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn a_genuine_cursor_is_read_back() {
        let position = Position { part: 3, text: b"alice".to_vec(), id: [7; 16] };
        assert_eq!(verified(&cursor(b"alice"), |_, tag| tag == [9; TAG]), Some(position));
    }

    #[test]
    fn nothing_is_read_from_a_cursor_that_does_not_verify() {
        assert_eq!(verified(&cursor(b"alice"), |_, _| false), None);
        let long = "A".repeat(LENGTH_MAX + 1);
        for text in ["", "A", "!", "AAAA", cursor(b"")[..60].to_owned().as_str(), &long] {
            assert_eq!(verified(text, |_, _| true), None, "{text}");
        }
    }
}
