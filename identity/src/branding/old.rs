//! Layouts of earlier versions, read for ever, and written while a cluster is at their level.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Branding, Colour, Links, Look, Palette, Texts};

/// [`Look`] of change 22: one colour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct LookV1 {
    pub display_name: Option<String>,
    pub accent: Option<Colour>,
    pub radius: Option<u8>,
    pub texts: BTreeMap<String, Texts>,
    pub links: Links,
}

impl From<LookV1> for Look {
    fn from(old: LookV1) -> Self {
        let LookV1 { display_name, accent, radius, texts, links } = old;
        Self { display_name, accent, radius, texts, links, palette: Palette::default() }
    }
}

impl From<&Look> for LookV1 {
    fn from(new: &Look) -> Self {
        let Look { display_name, accent, radius, texts, links, .. } = new.clone();
        Self { display_name, accent, radius, texts, links }
    }
}

/// [`Branding`] of change 22.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as in the newest version")]
pub struct BrandingV1 {
    pub revision: u64,
    pub look: LookV1,
}

impl From<BrandingV1> for Branding {
    fn from(old: BrandingV1) -> Self {
        Self { revision: old.revision, look: old.look.into() }
    }
}

impl From<&Branding> for BrandingV1 {
    fn from(new: &Branding) -> Self {
        Self { revision: new.revision, look: LookV1::from(&new.look) }
    }
}
