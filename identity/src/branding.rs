//! How a tenant's pages look and what they say: name, colours, corners, texts, links, and a logo.
//!
//! A picture arrives re-encoded; here its size is bounded and its digest taken, which names it in
//! paths. Settings and logo change apart from each other; the picture's bytes have no history.
//! Whoever may not use branding keeps what is set and is shown the product's own look. Invariant:
//! nothing of this is markup: texts are plain, a colour is three bytes, a link is https.

mod colour;
pub mod old;
mod palette;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    applying::Applying,
    authorize::Permission,
    changes,
    codec::{self, Layout, Persisted},
    fault::Fault,
    id::TenantId,
    languages,
    licenses::{self, Feature},
    name,
    outcome::{Outcome, Rejection, Stop},
    table::{self, Record, Row, Table, Tables, TablesMut, record_by},
    tenants,
};

pub use colour::{CONTRAST_MIN, CONTROL_CONTRAST_MIN, Colour};
pub use palette::Palette;

/// Reading how pages look.
pub const READ: Permission = Permission::read("branding");
/// Changing how pages look.
pub const WRITE: Permission = Permission::write("branding");

/// The one record's id, of the settings, the logo and its picture.
pub const BRANDING_ID: [u8; 16] = [0; 16];

/// Roundest corners of a control, CSS pixels.
pub const RADIUS_MAX: u8 = 24;
/// Largest picture, bytes of PNG.
pub const PICTURE_MAX: usize = 160 << 10;
/// Widest picture, pixels.
pub const WIDTH_MAX: u16 = 400;
/// Highest picture, pixels.
pub const HEIGHT_MAX: u16 = 80;

/// What every PNG begins with.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What pages say in one language, where it is not what the product says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    /// Heading of the sign-in page.
    pub title: Option<String>,
    /// Below the heading of the sign-in page.
    pub greeting: Option<String>,
    /// At the foot of every page.
    pub footer: Option<String>,
}

/// Where the foot of every page leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// What happens with personal data.
    pub privacy: Option<String>,
    /// The terms of use.
    pub terms: Option<String>,
    /// Who helps.
    pub support: Option<String>,
}

/// What an administrator says about pages; none is what the product says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Stands on pages in the place of the tenant's name.
    pub display_name: Option<String>,
    /// Buttons, links, focus.
    pub accent: Option<Colour>,
    /// Corners of controls, CSS pixels.
    pub radius: Option<u8>,
    /// By the tag of a language that pages are written in.
    pub texts: BTreeMap<String, Texts>,
    /// Where the foot of every page leads to.
    pub links: Links,
    /// The colours beside the accent, in the light scheme.
    pub palette: Palette,
}

impl Look {
    /// Every rule about it.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at the first field that breaks one.
    pub fn check(&self) -> Result<(), Rejection> {
        let text = |field: &str, value: &Option<String>| match value {
            Some(value) => name::text(field, value),
            None => Ok(()),
        };
        text("/display_name", &self.display_name)?;
        if self.radius.is_some_and(|radius| radius > RADIUS_MAX) {
            let reason = format!("must be at most {RADIUS_MAX}");
            return Err(Rejection::invalid("/radius", reason));
        }
        for (tag, texts) in &self.texts {
            if !languages::SHIPPED.contains(&tag.as_str()) {
                let reason = format!("{tag} is no language of the pages");
                return Err(Rejection::invalid("/texts", reason));
            }
            text(&format!("/texts/{tag}/title"), &texts.title)?;
            text(&format!("/texts/{tag}/greeting"), &texts.greeting)?;
            text(&format!("/texts/{tag}/footer"), &texts.footer)?;
        }
        let Links { privacy, terms, support } = &self.links;
        for (field, link) in [("privacy", privacy), ("terms", terms), ("support", support)] {
            if let Some(link) = link {
                name::web_link(&format!("/links/{field}"), link)?;
            }
        }
        self.palette.check("/palette")
    }
}

/// How a tenant's pages look, but for the logo.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branding {
    /// One more with every write; 0 where nobody set anything.
    pub revision: u64,
    /// What was set.
    pub look: Look,
}

/// A logo, without its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// SHA-256 of the picture's bytes; no secret.
    pub sha256: [u8; 32],
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

/// The logo of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    /// One more with every write; 0 where there never was one.
    pub revision: u64,
    /// None for the product's own mark.
    pub shown: Option<Shown>,
}

/// The picture of the logo; written and removed with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// PNG.
    pub png: Vec<u8>,
}

/// The table of pictures.
pub const PICTURES: Table = Table(Picture::KIND);

impl Persisted for Branding {
    const KIND: [u8; 2] = *b"br";
    const VERSION: u16 = 2;

    fn reads() -> u16 {
        if changes::program_level() < changes::PALETTES { 1 } else { 2 }
    }

    fn earlier(&self, level: u16) -> Option<Layout> {
        (level < changes::PALETTES).then(|| Layout::new(1, &old::BrandingV1::from(self)))
    }

    fn upgrade(version: u16, body: &[u8]) -> Result<Self, codec::Error> {
        match version {
            1 => codec::body_from::<old::BrandingV1>(body).map(Self::from),
            _ => Err(codec::Error::Version { kind: Self::KIND, version }),
        }
    }
}

impl Persisted for Logo {
    const KIND: [u8; 2] = *b"lg";
}

impl Persisted for Picture {
    const KIND: [u8; 2] = *b"lp";
}

impl Record for Branding {
    record_by!(= BRANDING_ID, never deleted);
}

impl Record for Logo {
    record_by!(= BRANDING_ID, never deleted);
}

/// Changes of how pages look. Variants are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// [`Command::Set`] of a look without a palette, which goes.
    SetPlain {
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// What pages look like from now on.
        look: Box<old::LookV1>,
    },
    /// Sets the logo.
    SetLogo {
        /// Revision the logo was read at; none means whatever it is.
        expected: Option<u64>,
        /// PNG, as this product encodes it.
        png: Vec<u8>,
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// Goes back to the product's own mark.
    RemoveLogo {
        /// Revision the logo was read at; none means whatever it is.
        expected: Option<u64>,
    },
    /// Sets everything but the logo.
    Set {
        /// Revision it was read at; none means whatever it is.
        expected: Option<u64>,
        /// What pages look like from now on.
        look: Box<Look>,
    },
}

impl Command {
    /// The command that sets a look, which every node of a cluster reads if it has no palette.
    pub fn set(expected: Option<u64>, look: &Look) -> Self {
        if look.palette == Palette::default() {
            Self::SetPlain { expected, look: Box::new(look.into()) }
        } else {
            Self::Set { expected, look: Box::new(look.clone()) }
        }
    }

    pub(crate) const fn feature_level(&self) -> u16 {
        match self {
            Self::Set { .. } => changes::PALETTES,
            Self::SetPlain { .. } | Self::SetLogo { .. } | Self::RemoveLogo { .. } => {
                changes::FIRST_LEVEL
            }
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::SetPlain { .. } | Self::Set { .. } => "branding.set",
            Self::SetLogo { .. } => "branding.set_logo",
            Self::RemoveLogo { .. } => "branding.remove_logo",
        }
    }

    pub(crate) fn apply<T: TablesMut>(&self, at: &mut Applying<'_, T>) -> Result<Outcome, Stop> {
        let table = match self {
            Self::SetPlain { .. } | Self::Set { .. } => Branding::TABLE,
            Self::SetLogo { .. } | Self::RemoveLogo { .. } => Logo::TABLE,
        };
        at.target(table, BRANDING_ID);
        at.require(WRITE)?;
        tenants::own(at)?;
        match self {
            Self::SetPlain { expected, look } => {
                set_look(at, *expected, Look::from((**look).clone()))
            }
            Self::Set { expected, look } => set_look(at, *expected, (**look).clone()),
            Self::SetLogo { expected, png, width, height } => {
                licenses::require_feature(at, Feature::Branding)?;
                set_logo(at, *expected, png, (*width, *height))
            }
            Self::RemoveLogo { expected } => {
                let outcome = at.settle(*expected, Logo::default())?;
                at.remove(Row::Record { table: PICTURES, id: BRANDING_ID });
                Ok(outcome)
            }
        }
    }
}

fn set_look<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    look: Look,
) -> Result<Outcome, Stop> {
    // Whoever may not use it any more may still go back to the product's own look.
    if look != Look::default() {
        licenses::require_feature(at, Feature::Branding)?;
    }
    look.check()?;
    at.settle(expected, Branding { revision: 0, look })
}

fn set_logo<T: TablesMut>(
    at: &mut Applying<'_, T>,
    expected: Option<u64>,
    png: &[u8],
    (width, height): (u16, u16),
) -> Result<Outcome, Stop> {
    let sized = (1..=WIDTH_MAX).contains(&width) && (1..=HEIGHT_MAX).contains(&height);
    if !sized || png.len() > PICTURE_MAX || !png.starts_with(PNG) {
        return Err(Rejection::invalid("/image", "is no picture of this product's making").into());
    }
    let sha256 = crate::secret::Digest::of(png).bytes();
    let logo = Logo { revision: 0, shown: Some(Shown { sha256, width, height }) };
    let outcome = at.settle(expected, logo)?;
    let row = Row::Record { table: PICTURES, id: BRANDING_ID };
    let bytes = codec::encode_at(&Picture { png: png.to_vec() }, at.level);
    at.put(row, bytes);
    Ok(outcome)
}

/// How the pages of a tenant look, but for the logo.
///
/// # Errors
/// Faults only.
pub fn of(tables: &impl Tables, tenant: TenantId) -> Result<Branding, Fault> {
    Ok(table::record::<Branding>(tables, tenant, BRANDING_ID)?.unwrap_or_default())
}

/// The logo of a tenant.
///
/// # Errors
/// Faults only.
pub fn logo(tables: &impl Tables, tenant: TenantId) -> Result<Logo, Fault> {
    Ok(table::record::<Logo>(tables, tenant, BRANDING_ID)?.unwrap_or_default())
}

/// The picture of a tenant's logo.
///
/// # Errors
/// Faults only.
pub fn picture(tables: &impl Tables, tenant: TenantId) -> Result<Option<Picture>, Fault> {
    match tables.get(tenant, Row::Record { table: PICTURES, id: BRANDING_ID })? {
        Some(bytes) => Ok(Some(codec::decode(&bytes)?)),
        None => Ok(None),
    }
}
