//! What a tenant may change about its pages: accent colour, roundness, logo, name, texts, links.
//!
//! The content policy allows no inline style, so a brand reaches a page as a second stylesheet. Its
//! name holds the whole brand and nothing else, so the route needs no state, browsers may keep the
//! file for ever, and another brand has another name. Invariant: whatever colour a tenant takes,
//! text in it and on it has the contrast of WCAG 2.2 AA in both colour schemes.

use actors::runtime::tenant::TenantSnapshot;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use identity::branding::{Colour, Links, RADIUS_MAX, Texts};

use super::assets;
use super::language::Language;
use crate::http::layer::{Arrival, Dress};
use crate::http::logo;

/// WCAG 2.2, 1.4.3.
const CONTRAST_MIN: f64 = 4.5;

/// What cards are painted with in the stylesheet.
const LIGHT_SURFACE: Colour = Colour([0xff, 0xff, 0xff]);
const DARK_SURFACE: Colour = Colour([0x17, 0x1a, 0x24]);
const BLACK: Colour = Colour([0, 0, 0]);

/// What can be computed of a colour.
trait Legible: Sized {
    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64;

    /// Contrast ratio (WCAG 2.2).
    fn contrast(self, other: Self) -> f64;

    /// This colour with so many percent of another.
    fn mixed(self, other: Self, percent: u16) -> Self;

    /// The nearest colour on the way to `end` that is legible on `surface`.
    fn legible(self, surface: Self, end: Self) -> Self;
}

impl Legible for Colour {
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn mixed(self, other: Self, percent: u16) -> Self {
        let Self([red, green, blue]) = self;
        let Self([other_red, other_green, other_blue]) = other;
        let mix = |one: u8, two: u8| {
            let sum = u16::from(one) * (100 - percent) + u16::from(two) * percent;
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self([mix(red, other_red), mix(green, other_green), mix(blue, other_blue)])
    }

    fn legible(self, surface: Self, end: Self) -> Self {
        (0..=100)
            .map(|percent| self.mixed(end, percent))
            .find(|colour| colour.contrast(surface) >= CONTRAST_MIN)
            .unwrap_or(end)
    }
}

/// How a tenant's pages look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Brand {
    /// Buttons, links, focus.
    pub(crate) accent: Colour,
    /// Corners of controls, CSS pixels.
    pub(crate) radius: u8,
    /// Path of an image on this server that takes the place of our mark.
    pub(crate) logo: Option<String>,
    /// What the tenant is called, where it is not what the page says.
    pub(crate) name: Option<String>,
    /// What the page says in its language, where the tenant has words of its own.
    pub(crate) texts: Texts,
    /// Where the foot leads to.
    pub(crate) links: Links,
}

impl Default for Brand {
    /// As in the stylesheet itself.
    fn default() -> Self {
        Self {
            accent: Colour([0x3b, 0x4f, 0xc4]),
            radius: 10,
            logo: None,
            name: None,
            texts: Texts::default(),
            links: Links::default(),
        }
    }
}

impl Brand {
    /// The brand of the tenant that the current request addresses, for a page in this language.
    pub(crate) fn current(language: Language) -> Self {
        Arrival::current().map_or_else(Self::default, |arrival| Self::of(&arrival, language))
    }

    /// The brand of the tenant that a request addresses, for a page in this language.
    pub(crate) fn of(arrival: &Arrival, language: Language) -> Self {
        let Some(Dress { snapshot, path, now_ms }) = arrival.dress() else {
            return Self::default();
        };
        Self::worn(snapshot, path, *now_ms, language).unwrap_or_default()
    }

    fn worn(snapshot: &TenantSnapshot, path: &str, now_ms: u64, to: Language) -> Option<Self> {
        let (look, logo) = snapshot.look(now_ms)?;
        let plain = Self::default();
        Some(Self {
            accent: look.accent.unwrap_or(plain.accent),
            radius: look.radius.unwrap_or(plain.radius),
            logo: logo.map(|shown| format!("{path}{}", logo::route(&shown))),
            name: look.display_name.clone(),
            texts: look.texts.get(to.tag()).cloned().unwrap_or_default(),
            links: look.links.clone(),
        })
    }

    /// The links of the foot: the message that names one, and where it leads.
    pub(super) fn links(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Links { privacy, terms, support } = &self.links;
        let all = [
            ("page-link-privacy", privacy),
            ("page-link-terms", terms),
            ("page-link-support", support),
        ];
        all.into_iter().filter_map(|(message, link)| Some((message, link.as_deref()?)))
    }

    /// The path of its stylesheet; none for what the stylesheet of all pages says anyway.
    pub(super) fn stylesheet_path(&self) -> Option<String> {
        let plain = Self::default();
        let plain = (self.accent, self.radius) == (plain.accent, plain.radius);
        let (accent, radius) = (self.accent.hex(), self.radius.min(RADIUS_MAX));
        (!plain).then(|| format!("/assets/brand/{accent}-{radius}.css"))
    }

    /// The brand that a stylesheet's name stands for.
    fn parse(name: &str) -> Option<Self> {
        let (accent, radius) = name.strip_suffix(".css")?.split_once('-')?;
        let (accent, radius) = (Colour::parse(accent)?, radius.parse().ok()?);
        let brand = Self { accent, radius, ..Self::default() };
        // One brand has one name, so that no cache holds the same under many.
        (brand.stylesheet_path()? == format!("/assets/brand/{name}")).then_some(brand)
    }

    fn stylesheet(&self) -> String {
        let light = self.accent.legible(LIGHT_SURFACE, BLACK);
        let dark = self.accent.legible(DARK_SURFACE, LIGHT_SURFACE);
        let variables = |accent: Colour, strong: Colour, on_accent: Colour| {
            format!(
                "--accent: #{accent}; --accent-strong: #{strong}; --on-accent: #{on_accent};",
                accent = accent.hex(),
                strong = strong.hex(),
                on_accent = on_accent.hex(),
            )
        };
        format!(
            ":root {{ {light} --radius: {radius}px; }}\n\
             @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n",
            light = variables(light, light.mixed(BLACK, 18), LIGHT_SURFACE),
            dark = variables(dark, dark.mixed(LIGHT_SURFACE, 30), DARK_SURFACE),
            radius = self.radius,
        )
    }
}

/// `GET /assets/brand/{name}`.
pub(super) async fn stylesheet(Path(name): Path<String>) -> Response {
    match Brand::parse(&name) {
        Some(brand) => assets::immutable(assets::CSS, brand.stylesheet()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(accent: &str, radius: u8) -> Brand {
        Brand { accent: Colour::parse(accent).unwrap(), radius, ..Brand::default() }
    }

    #[test]
    fn contrast_gives_the_published_values() {
        assert!((LIGHT_SURFACE.contrast(BLACK) - 21.0).abs() < 1e-9);
        let grey = Colour::parse("767676").unwrap();
        assert!((grey.contrast(LIGHT_SURFACE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_accent_is_legible_in_both_schemes() {
        let steps = [0x00, 0x33, 0x66, 0x99, 0xcc, 0xff];
        for red in steps {
            for green in steps {
                for blue in steps {
                    let accent = Colour([red, green, blue]);
                    let light = accent.legible(LIGHT_SURFACE, BLACK);
                    let dark = accent.legible(DARK_SURFACE, LIGHT_SURFACE);
                    assert!(light.contrast(LIGHT_SURFACE) >= CONTRAST_MIN, "{accent:?}");
                    assert!(dark.contrast(DARK_SURFACE) >= CONTRAST_MIN, "{accent:?}");
                }
            }
        }
        let legible = Colour::parse("3b4fc4").unwrap();
        assert_eq!(legible.legible(LIGHT_SURFACE, BLACK), legible, "what is legible stays");
    }

    #[test]
    fn a_brand_has_one_name_and_the_name_says_all() {
        let teal = brand("0f766e", 4);
        let path = teal.stylesheet_path().unwrap();
        assert_eq!(path, "/assets/brand/0f766e-4.css");
        assert_eq!(Brand::parse("0f766e-4.css"), Some(teal));
        for name in [
            "0F766E-4.css",
            "0f766e-04.css",
            "0f766e-+4.css",
            "0f766e-25.css",
            "0f766e-4",
            "0f766e.css",
            "0f766e-4.css;x",
            "3b4fc4-10.css",
            "",
        ] {
            assert_eq!(Brand::parse(name), None, "{name}");
        }
        assert_eq!(Brand::default().stylesheet_path(), None);
        let logo = Brand { logo: Some("/assets/logo.svg".into()), ..Brand::default() };
        assert_eq!(logo.stylesheet_path(), None);
    }

    #[test]
    fn the_default_is_what_the_stylesheet_of_all_pages_says() {
        let stylesheet = include_str!("../../../assets/vaultara.css");
        let brand = Brand::default();
        let (accent, dark) = (brand.accent.hex(), DARK_SURFACE.hex());
        for expected in [
            format!("--accent: #{accent};"),
            format!("--radius: {}px;", brand.radius),
            format!("--surface: #{dark};"),
            "--surface: #ffffff;".to_owned(),
        ] {
            assert!(stylesheet.contains(&expected), "{expected}");
        }
    }

    #[test]
    fn the_stylesheet_sets_variables_and_nothing_else() {
        let css = brand("ffee00", 0).stylesheet();
        assert!(css.contains("--radius: 0px;") && css.contains("--on-accent: #ffffff;"), "{css}");
        let allowed =
            |letter: char| letter.is_ascii_alphanumeric() || "-:;#{}()@ \n".contains(letter);
        assert!(css.chars().all(allowed) && !css.contains("url"), "{css}");
    }
}
