//! What the light scheme of a brand is painted with, made of an accent and a palette.
//!
//! The palette's own rule keeps its text legible on what is behind it; whatever is made of it here
//! gives way until that holds again. Invariant: text has the contrast of WCAG 2.2 AA on everything
//! that it stands on, with every palette that may be set.

use identity::branding::{CONTRAST_MIN, CONTROL_CONTRAST_MIN, Colour, Palette};

pub(super) const WHITE: Colour = Colour([0xff, 0xff, 0xff]);
const BLACK: Colour = Colour([0, 0, 0]);

/// Words of refusals, as the stylesheet of all pages has them.
pub(super) const ALERT: Colour = Colour([0x8f, 0x1d, 0x1d]);
/// Words of successes, as the stylesheet of all pages has them.
pub(super) const NOTICE: Colour = Colour([0x14, 0x53, 0x2d]);

/// What can be made of a colour.
pub(super) trait Legible: Sized {
    /// This colour with so many percent of another.
    fn mixed(self, other: Self, percent: u16) -> Self;

    /// The nearest colour on the way to `end` that has that contrast to all of these.
    fn legible(self, behind: &[Self], end: Self, contrast: u32) -> Self;
}

impl Legible for Colour {
    fn mixed(self, other: Self, percent: u16) -> Self {
        let Self([red, green, blue]) = self;
        let Self([other_red, other_green, other_blue]) = other;
        let mix = |one: u8, two: u8| {
            let sum = u16::from(one) * (100 - percent) + u16::from(two) * percent;
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self([mix(red, other_red), mix(green, other_green), mix(blue, other_blue)])
    }

    fn legible(self, behind: &[Self], end: Self, contrast: u32) -> Self {
        let fits = |colour: &Self| behind.iter().all(|other| colour.contrast(*other) >= contrast);
        (0..=100).map(|percent| self.mixed(end, percent)).find(fits).unwrap_or(end)
    }
}

/// Colours of what is said in a box of its own.
struct Said {
    text: Colour,
    ground: Colour,
    line: Colour,
}

impl Said {
    /// The words of it stand on the page's own colours as well.
    fn of(colour: Colour, palette: &Palette) -> Self {
        let (surface, text) = (palette.surface(), palette.text());
        let ground = behind(surface, colour, 8, text);
        let all = [palette.background(), surface, ground];
        let words = colour.legible(&all, text, CONTRAST_MIN);
        Self { text: words, ground, line: surface.mixed(words, 35) }
    }
}

/// What the light scheme of a brand is painted with.
pub(super) struct Light {
    ground: Colour,
    glow: Colour,
    surface: Colour,
    sunken: Colour,
    text: Colour,
    muted: Colour,
    line: Colour,
    control_line: Colour,
    accent: Colour,
    accent_strong: Colour,
    alert: Said,
    notice: Said,
}

impl Light {
    pub(super) fn of(accent: Colour, palette: &Palette) -> Self {
        let (ground, surface, text) = (palette.background(), palette.surface(), palette.text());
        let (glow, sunken) = (behind(ground, accent, 10, text), behind(surface, text, 4, text));
        let all = [ground, surface, glow, sunken];
        let accent = accent.legible(&[ground, surface], text, CONTRAST_MIN);
        Self {
            ground,
            glow,
            surface,
            sunken,
            text,
            muted: text.mixed(surface, 35).legible(&all, text, CONTRAST_MIN),
            line: surface.mixed(text, 14),
            control_line: surface.mixed(text, 40).legible(&[surface], text, CONTROL_CONTRAST_MIN),
            accent,
            accent_strong: accent.mixed(text, 18).legible(&[ground, surface], text, CONTRAST_MIN),
            alert: Said::of(ALERT, palette),
            notice: Said::of(NOTICE, palette),
        }
    }

    /// Those of the accent, which is all that a plain palette changes.
    pub(super) fn accents(&self) -> String {
        declared([
            ("accent", self.accent),
            ("accent-strong", self.accent_strong),
            ("on-accent", self.surface),
        ])
    }

    pub(super) fn all(&self) -> String {
        let others = declared([
            ("ground", self.ground),
            ("glow", self.glow),
            ("surface", self.surface),
            ("sunken", self.sunken),
            ("text", self.text),
            ("muted", self.muted),
            ("line", self.line),
            ("control-line", self.control_line),
            ("alert-text", self.alert.text),
            ("alert-ground", self.alert.ground),
            ("alert-line", self.alert.line),
            ("notice-text", self.notice.text),
            ("notice-ground", self.notice.ground),
            ("notice-line", self.notice.line),
        ]);
        // What browsers draw themselves, such as the sign of a date, follows the cards.
        let is_dark = self.surface.contrast(WHITE) > self.surface.contrast(BLACK);
        let scheme = if is_dark { "dark" } else { "light" };
        format!("color-scheme: {scheme}; {others} {}", self.accents())
    }
}

/// A colour for what text stands on: the base with so many percent of another, or fewer.
fn behind(base: Colour, other: Colour, percent: u16, text: Colour) -> Colour {
    base.mixed(other, percent).legible(&[text], base, CONTRAST_MIN)
}

fn declared<const N: usize>(named: [(&str, Colour); N]) -> String {
    named.map(|(name, colour)| format!("--{name}: #{};", colour.hex())).join(" ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Palettes that may be set: the product's own, pale, dark, gaudy, and just legible ones.
    pub(in super::super) fn palettes() -> Vec<Palette> {
        let palette = |[background, surface, text]: [&str; 3]| {
            let colour = Colour::parse;
            let (background, surface, text) = (colour(background), colour(surface), colour(text));
            let palette = Palette { background, surface, text };
            palette.check("").unwrap();
            palette
        };
        let all = [
            ["", "", ""],
            ["fff7e6", "fffdf7", "3b2f00"],
            ["0b1020", "141a2e", "e8ebf4"],
            ["ffee00", "ffffff", "000000"],
            ["000000", "757575", "ffffff"],
            ["ffffff", "ffffff", "767676"],
            ["7b7b7b", "7b7b7b", "000000"],
        ];
        all.map(palette).into()
    }

    /// Colours from all over the cube.
    pub(in super::super) fn accents() -> Vec<Colour> {
        let steps = [0x00, 0x33, 0x66, 0x99, 0xcc, 0xff];
        let all = steps.map(|red| steps.map(|green| steps.map(|blue| Colour([red, green, blue]))));
        all.as_flattened().as_flattened().into()
    }

    #[test]
    fn contrast_is_what_the_formula_of_wcag_gives() {
        for channel in 0..=255 {
            let value = f64::from(channel) / 255.0;
            let luminance =
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
            let exact = 105.0 / (luminance + 0.05);
            let found = f64::from(WHITE.contrast(Colour([channel; 3])));
            assert!((-0.1..=1.1).contains(&(exact - found)), "{channel}: {exact} {found}");
        }
    }

    #[test]
    fn every_accent_is_legible_with_every_palette() {
        for accent in accents() {
            for palette in palettes() {
                let light = Light::of(accent, &palette);
                let Light { ground, glow, surface, sunken, .. } = light;
                let all = &[ground, glow, surface, sunken];
                let pairs: [(Colour, &[Colour]); 7] = [
                    (light.text, all),
                    (light.muted, all),
                    (light.accent, &[ground, surface]),
                    (light.accent_strong, &[ground, surface]),
                    (light.alert.text, &[ground, surface, light.alert.ground]),
                    (light.notice.text, &[ground, surface, light.notice.ground]),
                    (light.text, &[light.alert.ground, light.notice.ground]),
                ];
                for (words, behind) in pairs {
                    for other in behind {
                        let found = words.contrast(*other);
                        assert!(found >= CONTRAST_MIN, "{accent} {palette:?} {words} {other}");
                    }
                }
                assert!(light.control_line.contrast(surface) >= CONTROL_CONTRAST_MIN);
            }
        }
        let (legible, plain) = (Colour::parse("3b4fc4").unwrap(), Palette::default());
        assert_eq!(Light::of(legible, &plain).accent, legible, "what is legible stays");
    }

    #[test]
    fn what_browsers_draw_follows_the_cards() {
        let accent = Colour([0x3b, 0x4f, 0xc4]);
        let schemes = palettes().into_iter().map(|palette| Light::of(accent, &palette).all());
        let dark = schemes.map(|all| all.starts_with("color-scheme: dark;"));
        assert_eq!(dark.collect::<Vec<_>>(), [false, false, true, false, true, false, false]);
    }
}
