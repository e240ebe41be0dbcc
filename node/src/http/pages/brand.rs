//! What a tenant may change about its pages: colours, roundness, logo, name, texts, links.
//!
//! The content policy allows no inline style, so a brand reaches a page as a second stylesheet. Its
//! name holds the whole brand and nothing else, so the route needs no state, browsers may keep the
//! file for ever, and another brand has another name. Invariant: whatever colour a tenant takes,
//! text in it and on it has the contrast of WCAG 2.2 AA in both colour schemes.

mod light;

use actors::runtime::tenant::TenantSnapshot;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use identity::branding::{CONTRAST_MIN, Colour, Links, Palette, RADIUS_MAX, Texts};

use self::light::{Legible as _, Light, WHITE};
use super::assets;
use super::language::Language;
use crate::http::layer::{Arrival, Dress};
use crate::http::logo;

/// What cards are painted with in the dark scheme of the stylesheet.
const DARK_SURFACE: Colour = Colour([0x17, 0x1a, 0x24]);

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
    /// Colours of the light scheme beside the accent.
    pub(crate) palette: Palette,
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
            palette: Palette::default(),
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
            palette: look.palette,
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
        let same = (self.accent, self.radius) == (plain.accent, plain.radius);
        let (accent, radius) = (self.accent.hex(), self.radius.min(RADIUS_MAX));
        if !self.palette.is_plain() {
            let colours = [self.palette.background(), self.palette.surface(), self.palette.text()];
            let colours = colours.map(Colour::hex).join("-");
            return Some(format!("/assets/brand/{accent}-{radius}-{colours}.css"));
        }
        (!same).then(|| format!("/assets/brand/{accent}-{radius}.css"))
    }

    /// The brand that a stylesheet's name stands for.
    fn parse(name: &str) -> Option<Self> {
        let mut words = name.strip_suffix(".css")?.split('-');
        let (accent, radius) = (Colour::parse(words.next()?)?, words.next()?.parse().ok()?);
        let mut palette = Palette::default();
        if let Some(background) = words.next() {
            palette.background = Some(Colour::parse(background)?);
            palette.surface = Some(Colour::parse(words.next()?)?);
            palette.text = Some(Colour::parse(words.next()?)?);
        }
        palette.check("").ok()?;
        let brand = Self { accent, radius, palette, ..Self::default() };
        // One brand has one name, so that no cache holds the same under many.
        (brand.stylesheet_path()? == format!("/assets/brand/{name}")).then_some(brand)
    }

    fn stylesheet(&self) -> String {
        let light = Light::of(self.accent, &self.palette);
        let dark = self.accent.legible(&[DARK_SURFACE], WHITE, CONTRAST_MIN);
        let (strong, on_accent) = (dark.mixed(WHITE, 30), DARK_SURFACE);
        format!(
            ":root {{ --radius: {radius}px; }}\n\
             @media (prefers-color-scheme: light) {{ :root {{ {light} }} }}\n\
             @media (prefers-color-scheme: dark) {{ :root {{ --accent: #{dark}; \
             --accent-strong: #{strong}; --on-accent: #{on_accent}; }} }}\n",
            radius = self.radius,
            light = if self.palette.is_plain() { light.accents() } else { light.all() },
            dark = dark.hex(),
            strong = strong.hex(),
            on_accent = on_accent.hex(),
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
    use super::{
        light::{
            ALERT, NOTICE,
            tests::{accents, palettes},
        },
        *,
    };

    fn brand(accent: &str, radius: u8) -> Brand {
        Brand { accent: Colour::parse(accent).unwrap(), radius, ..Brand::default() }
    }

    #[test]
    fn every_accent_is_legible_in_the_dark_scheme() {
        for accent in accents() {
            let css = Brand { accent, ..Brand::default() }.stylesheet();
            let dark = css.split("(prefers-color-scheme: dark)").nth(1).unwrap();
            let shown = dark.split("--accent: #").nth(1).unwrap().get(..6).unwrap();
            let contrast = Colour::parse(shown).unwrap().contrast(DARK_SURFACE);
            assert!(contrast >= CONTRAST_MIN, "{accent}: {css}");
        }
    }

    #[test]
    fn a_brand_has_one_name_and_the_name_says_all() {
        let teal = brand("0f766e", 4);
        let path = teal.stylesheet_path().unwrap();
        assert_eq!(path, "/assets/brand/0f766e-4.css");
        assert_eq!(Brand::parse("0f766e-4.css"), Some(teal.clone()));
        for palette in palettes().into_iter().filter(|palette| !palette.is_plain()) {
            let coloured = Brand { palette, ..teal.clone() };
            let path = coloured.stylesheet_path().unwrap();
            let read = Brand::parse(path.rsplit('/').next().unwrap()).unwrap();
            assert_eq!(read.stylesheet(), coloured.stylesheet(), "{path}");
        }
        for name in [
            "0F766E-4.css",
            "0f766e-04.css",
            "0f766e-+4.css",
            "0f766e-25.css",
            "0f766e-4",
            "0f766e.css",
            "0f766e-4.css;x",
            "3b4fc4-10.css",
            "3b4fc4-10-f3f4f9-ffffff-1a1e2c.css",
            "0f766e-4-fff7e6.css",
            "0f766e-4-fff7e6-fffdf7.css",
            "0f766e-4-fff7e6-fffdf7-3b2f00-3b2f00.css",
            "0f766e-4-fff7e6-fffdf7-fffffe.css",
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
        let palette = Palette::default();
        for expected in [
            format!("--ground: #{};", palette.background().hex()),
            format!("--surface: #{};", palette.surface().hex()),
            format!("--text: #{};", palette.text().hex()),
            format!("--alert-text: #{};", ALERT.hex()),
            format!("--notice-text: #{};", NOTICE.hex()),
            format!("--accent: #{accent};"),
            format!("--radius: {}px;", brand.radius),
            format!("--surface: #{dark};"),
        ] {
            assert!(stylesheet.contains(&expected), "{expected}");
        }
    }

    #[test]
    fn the_stylesheet_says_colours_and_corners_and_nothing_else() {
        let css = brand("ffee00", 0).stylesheet();
        assert!(css.contains("--radius: 0px;") && css.contains("--on-accent: #ffffff;"), "{css}");
        assert!(!css.contains("--ground"), "what the product has stays where it stands: {css}");
        let allowed =
            |letter: char| letter.is_ascii_alphanumeric() || "-:;#{}()@ \n".contains(letter);
        for palette in palettes() {
            let css = Brand { palette, ..brand("ffee00", 0) }.stylesheet();
            assert!(css.chars().all(allowed) && !css.contains("url"), "{css}");
            let surface = format!("--surface: #{};", palette.surface().hex());
            assert_eq!(css.contains(&surface), !palette.is_plain(), "{css}");
        }
    }
}
