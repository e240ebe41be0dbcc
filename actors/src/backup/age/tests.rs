use std::io::{Read as _, Write as _};

use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::runtime::clock::Clock;

/// A key, a text and its encryption for that key by another implementation of the format, with a
/// recipient of a kind that nobody knows.
const KEY: &str = "AGE-SECRET-KEY-172WQMQXZH2JMWJKG0XNCN2PK84LX843XMJ7XZTQF2RKGH5KJXUMQ6EVKDC";
const RECIPIENT: &str = "age138x5fkcspvlkue9cparahea93wwqpawlhu8u48ht4jatsdla6udse34zd9";
const TEXT: &[u8] = b"what the reference implementation wrote\n";
const SEALED: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSA2ZVZmWEM0elZaQXZtcG5NTE1ZRzE1\
    UHNyMDQwSC95RXVIN2N0c1BRQUU0Cm5zdFVZQmJwSEtRQ1dURk9HeGwvc2NSbFZqeDlsUi9XRWx2MS9oSnp5UVEKLT4g\
    PWMtZ3JlYXNlIF9JfWsKWS8vRC9IbW5tYU5LR3VnQVM3ZEFac0FOL01PZk0vdFBaNk8xM0ZwY1kzNE1mbVVOenJ5T2kw\
    YXg2UU8rRG1oOQpOTkQrU1RqVVRETGdVMjdrOVErZGxuZG8KLS0tIDd1ZmlGM2FrT214S3NjV2RMeVNGWUo1TmNRdmFq\
    SWc1amJOZGlwWm1mNEEK53P5o+urHj74rxpB2eN2t3ZRElEJXnagtXrcqqwTPrLgDvxm6C7IHxeNudDzIn5553zk3YWf\
    sefSJr7jilSkxQ01T0X8aBJu";

fn random() -> Random {
    Random::new(Clock::system())
}

fn sealed(bytes: &[u8], recipients: &[Recipient]) -> Vec<u8> {
    let mut sealing = seal(Vec::new(), recipients, &random()).unwrap();
    sealing.write_all(bytes).unwrap();
    sealing.finish().unwrap()
}

fn opened(bytes: &[u8], identities: &[Identity]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    open(bytes, identities)?.read_to_end(&mut out)?;
    Ok(out)
}

#[test]
fn what_another_implementation_wrote_is_read() {
    let identity = Identity::parse(KEY).unwrap();
    assert_eq!(identity.recipient().unwrap().to_string(), RECIPIENT);
    assert_eq!(identity.text().as_str(), KEY);
    assert_eq!(Recipient::parse(RECIPIENT).unwrap(), identity.recipient().unwrap());
    let bytes = STANDARD.decode(SEALED).unwrap();
    assert_eq!(opened(&bytes, &[identity]).unwrap(), TEXT);
}

#[test]
fn whatever_length_a_stream_has_any_of_its_recipients_reads_it() {
    let keys = [Identity::new(&random()), Identity::new(&random())];
    let recipients: Vec<Recipient> = keys.iter().map(|key| key.recipient().unwrap()).collect();
    let piece = 64 << 10;
    for length in [0, 1, piece - 1, piece, piece + 1, 2 * piece, 2 * piece + 7] {
        let bytes: Vec<u8> = (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect();
        let stream = sealed(&bytes, &recipients);
        for key in &keys {
            let again = Identity::parse(&key.text()).unwrap();
            assert_eq!(opened(&stream, &[again]).unwrap(), bytes, "{length}");
        }
        let stranger = Identity::new(&random());
        assert!(matches!(opened(&stream, &[stranger]), Err(Error::WrongKey)), "{length}");
    }
}

#[test]
fn pieces_that_are_missing_swapped_or_cut_are_noticed() {
    let key = Identity::new(&random());
    let piece = (64 << 10) + 16;
    let stream = sealed(&vec![7; 3 * (64 << 10)], &[key.recipient().unwrap()]);
    let body = stream.len() - 3 * piece;
    let mut swapped = stream.clone();
    swapped[body..body + 2 * piece].rotate_left(piece);
    let without_first = [&stream[..body], &stream[body + piece..]].concat();
    let longer = [&stream[..], &[0]].concat();
    let keys = [key];
    for (what, bad) in [
        ("swapped", &swapped[..]),
        ("without its first piece", &without_first),
        ("without its last piece", &stream[..stream.len() - piece]),
        ("without its last byte", &stream[..stream.len() - 1]),
        ("longer", &longer),
        ("without a body", &stream[..body]),
        ("without anything", &[]),
    ] {
        assert!(opened(bad, &keys).is_err(), "{what}");
    }
    assert!(opened(&stream, &keys).is_ok());
}

#[test]
fn keys_with_a_wrong_letter_and_files_without_a_key_are_refused() {
    for place in 0..RECIPIENT.len() {
        let mut text = RECIPIENT.as_bytes().to_vec();
        text[place] = if text[place] == b'q' { b'p' } else { b'q' };
        let text = String::from_utf8(text).unwrap();
        assert_eq!(Recipient::parse(&text), None, "{text}");
    }
    assert!(Identity::parse(&KEY.to_ascii_lowercase()).is_none());
    assert!(Identity::parse(RECIPIENT).is_none());
    assert_eq!(parse_key_file(&format!("# mine\n\n{KEY}\n{KEY}")).unwrap().len(), 2);
    for text in ["", "# nothing", "hello", &format!("{KEY}\nhello")] {
        assert!(parse_key_file(text).is_none(), "{text}");
    }
}
