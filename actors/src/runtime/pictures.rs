//! Pictures that strangers upload: decoded within hard bounds, made small, and drawn anew.
//!
//! What leaves is a PNG of our own making: nothing of the uploaded bytes is kept but what the
//! picture shows, no metadata, no second frame, nothing that another program would read as
//! something else. Only PNG, JPEG and WebP have a decoder here. Few are drawn at once; who finds no
//! place is refused. Invariant: neither more bytes nor more pixels than the bounds are ever read.

use std::{io::Cursor, sync::Arc};

use identity::{
    branding::{HEIGHT_MAX, PICTURE_MAX, WIDTH_MAX},
    outcome::Rejection,
};
use image::{
    DynamicImage, ImageDecoder as _, ImageEncoder as _, ImageFormat, ImageReader, Limits,
    codecs::png::PngEncoder, imageops::FilterType,
};
use tokio::{sync::Semaphore, task};

use crate::error::Error;

/// Most bytes that are looked at.
pub const UPLOAD_MAX: usize = 512 << 10;
/// Most pixels along either side.
pub const SIDE_MAX: u32 = 2048;

/// Most memory of one decoder, bytes: every pixel of the largest picture three times over.
const MEMORY_MAX: u64 = 3 * 4 * 2048 * 2048;
/// How many are drawn at once.
const PLACES: usize = 2;

/// A picture of our own making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// PNG.
    pub png: Vec<u8>,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

/// The places of this node.
pub struct Pictures {
    places: Arc<Semaphore>,
}

impl Default for Pictures {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)) }
    }
}

impl Pictures {
    /// Draws an uploaded picture anew.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] at `/image`; [`Error::Overloaded`].
    pub async fn redraw(&self, uploaded: Vec<u8>) -> Result<Drawn, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let Ok(place) = place else { return Err(Error::Overloaded { retry_after_s: 1 }) };
        let drawing = task::spawn_blocking(move || {
            let drawn = redraw(&uploaded);
            drop(place);
            drawn
        });
        let drawn =
            drawing.await.map_err(|_| Error::Internal("drawing a picture failed".into()))?;
        drawn.map_err(|reason| Rejection::invalid("/image", reason).into())
    }
}

fn redraw(uploaded: &[u8]) -> Result<Drawn, &'static str> {
    const BROKEN: &str = "is broken";
    if uploaded.len() > UPLOAD_MAX {
        return Err("must be at most 512 KiB");
    }
    let reader = ImageReader::new(Cursor::new(uploaded)).with_guessed_format();
    let mut reader = reader.map_err(|_| BROKEN)?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) {
        return Err("must be a PNG, a JPEG or a WebP");
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| BROKEN)?;
    let (width, height) = decoder.dimensions();
    if width > SIDE_MAX || height > SIDE_MAX {
        return Err("must be at most 2048 by 2048 pixels");
    }
    let orientation = decoder.orientation().map_err(|_| BROKEN)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| BROKEN)?;
    picture.apply_orientation(orientation);
    if picture.width() > WIDTH_MAX.into() || picture.height() > HEIGHT_MAX.into() {
        picture = picture.resize(WIDTH_MAX.into(), HEIGHT_MAX.into(), FilterType::Lanczos3);
    }
    let pixels = picture.to_rgba8();
    let (width, height) = pixels.dimensions();
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&pixels, width, height, image::ExtendedColorType::Rgba8)
        .map_err(|_| BROKEN)?;
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| BROKEN);
    if png.len() > PICTURE_MAX {
        return Err(BROKEN);
    }
    Ok(Drawn { png, width: side(width)?, height: side(height)? })
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Rgba};

    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        // As little alike as pixels can be, so that no encoder makes it small.
        let mut seed = 1_u32;
        let noise = ImageBuffer::from_fn(width, height, |_, _| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [red, green, blue, alpha] = seed.to_be_bytes();
            Rgba([red, green, blue, alpha])
        });
        let picture = match format {
            ImageFormat::Jpeg => DynamicImage::from(DynamicImage::from(noise).to_rgb8()),
            _ => DynamicImage::from(noise),
        };
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_accepted_format_is_drawn_anew_as_a_small_png() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            for (given, drawn) in [
                ((30, 20), (30, 20)),
                ((300, 300), (80, 80)),
                ((350, 40), (350, 40)),
                ((350, 100), (280, 80)),
                ((1, 300), (1, 80)),
            ] {
                let uploaded = picture(given.0, given.1, format);
                let new = redraw(&uploaded).unwrap();
                assert_eq!((new.width, new.height), drawn, "{format:?}");
                assert!(new.png.starts_with(b"\x89PNG\r\n\x1a\n"));
                assert_eq!(redraw(&new.png).unwrap().png, new.png, "what we drew stays as it is");
            }
        }
    }

    #[test]
    fn the_largest_picture_that_can_be_drawn_can_be_kept() {
        let largest = picture(WIDTH_MAX.into(), HEIGHT_MAX.into(), ImageFormat::Png);
        assert!(redraw(&largest).unwrap().png.len() <= PICTURE_MAX);
    }

    #[test]
    fn what_is_behind_a_picture_is_not_kept() {
        let mut uploaded = picture(20, 20, ImageFormat::Png);
        uploaded.extend_from_slice(b"<script>alert(1)</script>");
        let drawn = redraw(&uploaded).unwrap().png;
        assert!(!drawn.windows(7).any(|window| window == b"<script"));
    }

    #[test]
    fn what_is_too_much_or_no_picture_of_ours_is_refused() {
        let png = picture(20, 20, ImageFormat::Png);
        let wide = picture(2049, 1, ImageFormat::Png);
        // A header that promises more than there is, and more than may be.
        let mut bomb = picture(8, 8, ImageFormat::Png);
        bomb[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        for bytes in [
            b"".as_slice(),
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
            b"<!doctype html><script>alert(1)</script>",
            &png[..40],
            &png[..png.len() / 2],
            &wide,
            &bomb,
            &vec![0; UPLOAD_MAX + 1],
        ] {
            assert!(redraw(bytes).is_err(), "{:?}", bytes.get(..20));
        }
    }

    #[tokio::test]
    async fn who_finds_no_place_is_refused() {
        let pictures = Pictures::default();
        let uploaded = picture(20, 20, ImageFormat::Png);
        let held = Arc::clone(&pictures.places).acquire_many_owned(2).await.unwrap();
        let refused = pictures.redraw(uploaded.clone()).await;
        assert!(matches!(refused, Err(Error::Overloaded { .. })), "{refused:?}");
        drop(held);
        assert!(pictures.redraw(uploaded).await.is_ok());
    }
}
