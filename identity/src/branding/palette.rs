//! The colours of pages beside the accent, in the light scheme.
//!
//! Whoever asks for the dark scheme sees the product's own dark colours with the tenant's accent.
//! Invariant: text can be read on whatever is behind it, also where only some of the colours are
//! the tenant's.

use serde::{Deserialize, Serialize};

use super::colour::{CONTRAST_MIN, Colour};
use crate::outcome::Rejection;

/// Behind everything, as the product has it.
const BACKGROUND: Colour = Colour([0xf3, 0xf4, 0xf9]);
/// Cards, as the product has them.
const SURFACE: Colour = Colour([0xff, 0xff, 0xff]);
/// Text, as the product has it.
const TEXT: Colour = Colour([0x1a, 0x1e, 0x2c]);

/// Colours that an administrator sets; none is the product's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Palette {
    /// Behind everything.
    pub background: Option<Colour>,
    /// Cards.
    pub surface: Option<Colour>,
    /// Text, on both.
    pub text: Option<Colour>,
}

impl Palette {
    /// Behind everything.
    pub fn background(&self) -> Colour {
        self.background.unwrap_or(BACKGROUND)
    }

    /// Cards.
    pub fn surface(&self) -> Colour {
        self.surface.unwrap_or(SURFACE)
    }

    /// Text.
    pub fn text(&self) -> Colour {
        self.text.unwrap_or(TEXT)
    }

    /// Whether it is the product's own, however that was said.
    pub fn is_plain(&self) -> bool {
        let plain = Self::default();
        self.background() == plain.background()
            && self.surface() == plain.surface()
            && self.text() == plain.text()
    }

    /// The rule about them, as they count together.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at a colour that was set.
    pub fn check(&self, field: &str) -> Result<(), Rejection> {
        for (name, behind) in [("background", self.background()), ("surface", self.surface())] {
            let contrast = self.text().contrast(behind);
            if contrast < CONTRAST_MIN {
                let (at, to) = if self.text.is_some() { ("text", name) } else { (name, "text") };
                let reason = format!(
                    "has a contrast of {}.{:02}:1 to the {to}, and must have 4.5:1 (WCAG 2.2)",
                    contrast / 100,
                    contrast % 100
                );
                return Err(Rejection::invalid(format!("{field}/{at}"), reason));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn palette(background: &str, surface: &str, text: &str) -> Palette {
        let colour = |digits: &str| Colour::parse(digits);
        let (background, surface, text) = (colour(background), colour(surface), colour(text));
        Palette { background, surface, text }
    }

    #[test]
    fn text_is_legible_on_what_is_behind_it_or_the_palette_is_refused() {
        for (given, wrong) in [
            (palette("", "", ""), None),
            (palette("0b1020", "141a2e", "e8ebf4"), None),
            (palette("fff7e6", "", "3b2f00"), None),
            (palette("", "", "767676"), Some("/palette/text")),
            (palette("", "", "ffffff"), Some("/palette/text")),
            (palette("000000", "", ""), Some("/palette/background")),
            (palette("", "333333", ""), Some("/palette/surface")),
            (palette("000000", "ffffff", "ffffff"), Some("/palette/text")),
        ] {
            let found = match given.check("/palette") {
                Ok(()) => None,
                Err(Rejection::Invalid { field, .. }) => Some(field),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(found.as_deref(), wrong, "{given:?}");
        }
        let close = palette("", "", "777777").check("/palette").unwrap_err().to_string();
        assert!(close.contains("4.07:1 to the background"), "{close}");
    }

    #[test]
    fn what_the_product_has_is_plain_however_it_is_said() {
        assert!(Palette::default().is_plain() && palette("f3f4f9", "ffffff", "1a1e2c").is_plain());
        assert!(!palette("", "fffffe", "").is_plain());
    }
}
