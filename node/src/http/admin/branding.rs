//! `/api/v1/tenants/{tenant_id}/branding`: how a tenant's pages look and what they say; and their
//! logo.
//!
//! Every tenant has exactly one of each, so there is nothing to list or to make. A logo is sent as
//! text (base64) and drawn anew by `actors::branding`; it is served at its own path.

pub mod logo;

use std::{collections::BTreeMap, fmt};

use identity::{
    authorize::Permission,
    branding::{self, Branding, Colour, Links, Look, Palette, Texts},
    command::Command,
    fault::Fault,
    id::TenantId,
    table::Tables,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};
use utoipa::ToSchema;

use crate::http::admin::{
    Routes,
    document::{self, Document},
    resource::Place,
};

/// The document.
pub struct BrandingDocument;

/// What pages say in one language; null is what the product says.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrandingTexts {
    /// Heading of the sign-in page.
    #[serde(default)]
    #[schema(max_length = 256)]
    title: Option<String>,
    /// Below the heading of the sign-in page.
    #[serde(default)]
    #[schema(max_length = 256)]
    greeting: Option<String>,
    /// At the foot of every page.
    #[serde(default)]
    #[schema(max_length = 256)]
    footer: Option<String>,
}

/// Where the foot of every page leads to, https only.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrandingLinks {
    #[serde(default)]
    #[schema(max_length = 2048)]
    privacy: Option<String>,
    #[serde(default)]
    #[schema(max_length = 2048)]
    terms: Option<String>,
    #[serde(default)]
    #[schema(max_length = 2048)]
    support: Option<String>,
}

/// Colours of the light scheme beside the accent; null is the product's own. Text must have the
/// contrast of WCAG 2.2 AA (4.5:1) on both others. In the dark scheme pages stay the product's own.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrandingPaletteInput {
    /// Behind everything.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^#?[0-9A-Fa-f]{6}$")]
    background: Option<Given>,
    /// Cards.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^#?[0-9A-Fa-f]{6}$")]
    surface: Option<Given>,
    /// Text.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^#?[0-9A-Fa-f]{6}$")]
    text: Option<Given>,
}

/// Colours of the light scheme beside the accent, as shown.
#[derive(Serialize, ToSchema)]
pub struct BrandingPalette {
    /// Behind everything.
    background: Option<String>,
    /// Cards.
    surface: Option<String>,
    /// Text.
    text: Option<String>,
}

/// What may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BrandingInput)]
pub struct Input {
    /// Stands on pages in the place of the tenant's name.
    #[serde(default)]
    #[schema(max_length = 256)]
    display_name: Option<String>,
    /// Colour of buttons, links and focus. Pages make it lighter or darker until text in it and on
    /// it has the contrast of WCAG 2.2 AA.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^#?[0-9A-Fa-f]{6}$")]
    accent: Option<Given>,
    /// Corners of controls, CSS pixels.
    #[serde(default)]
    #[schema(maximum = 24)]
    radius: Option<u8>,
    /// By language: `en`, `de` or `fr`.
    #[serde(default)]
    texts: BTreeMap<String, BrandingTexts>,
    #[serde(default)]
    links: BrandingLinks,
    #[serde(default)]
    palette: BrandingPaletteInput,
}

/// How pages look, as shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Branding)]
pub struct View {
    /// Stands on pages in the place of the tenant's name.
    display_name: Option<String>,
    /// Colour of buttons, links and focus.
    accent: Option<String>,
    /// Corners of controls, CSS pixels.
    radius: Option<u8>,
    /// By language.
    texts: BTreeMap<String, BrandingTexts>,
    links: BrandingLinks,
    palette: BrandingPalette,
    /// One more with every change, 0 where nobody set anything; the `ETag`.
    revision: u64,
}

/// A colour as it is given.
struct Given(Colour);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(OfDigits)
    }
}

/// Reads a colour where it stands, so that a refusal points there.
struct OfDigits;

impl Visitor<'_> for OfDigits {
    type Value = Given;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a colour of six hexadecimal digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Given, E> {
        let wrong = || E::invalid_value(Unexpected::Str(text), &self);
        Colour::parse(text).map(Given).ok_or_else(wrong)
    }
}

impl Document for BrandingDocument {
    const PATH: &'static str = "/api/v1/tenants/{tenant_id}/branding";
    const NAME: &'static str = "branding";
    const SAYS: &'static str = "how the tenant's pages look and what they say";
    const PLACE: Place = Place::Tenant;
    const READ: Permission = branding::READ;
    const WRITE: Permission = branding::WRITE;

    type Record = Branding;
    type Input = Input;
    type View = View;

    fn current(tables: &impl Tables, tenant: TenantId) -> Result<Branding, Fault> {
        branding::of(tables, tenant)
    }

    fn wanted(_: TenantId, input: Input) -> Branding {
        let Input { display_name, accent, radius, texts, links, palette } = input;
        let texts = texts.into_iter().map(|(tag, texts)| {
            let BrandingTexts { title, greeting, footer } = texts;
            (tag, Texts { title, greeting, footer })
        });
        let BrandingLinks { privacy, terms, support } = links;
        let (texts, links) = (texts.collect(), Links { privacy, terms, support });
        let colour = |given: Option<Given>| given.map(|Given(colour)| colour);
        let accent = colour(accent);
        let BrandingPaletteInput { background, surface, text } = palette;
        let (background, surface, text) = (colour(background), colour(surface), colour(text));
        let palette = Palette { background, surface, text };
        Branding { revision: 0, look: Look { display_name, accent, radius, texts, links, palette } }
    }

    fn set(expected: Option<u64>, wanted: &Branding) -> Command {
        Command::Branding(branding::Command::set(expected, &wanted.look))
    }

    fn view(Branding { revision, look }: &Branding) -> View {
        let Look { display_name, accent, radius, texts, links, palette } = look.clone();
        let texts = texts.into_iter().map(|(tag, texts)| {
            let Texts { title, greeting, footer } = texts;
            (tag, BrandingTexts { title, greeting, footer })
        });
        let Links { privacy, terms, support } = links;
        let colour = |colour: Option<Colour>| colour.map(|colour| colour.to_string());
        let Palette { background, surface, text } = palette;
        View {
            display_name,
            accent: colour(accent),
            radius,
            texts: texts.collect(),
            links: BrandingLinks { privacy, terms, support },
            palette: BrandingPalette {
                background: colour(background),
                surface: colour(surface),
                text: colour(text),
            },
            revision: *revision,
        }
    }
}

/// The routes.
pub fn routes() -> Routes {
    document::routes::<BrandingDocument>().merge(logo::routes())
}
