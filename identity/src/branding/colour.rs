//! A colour as three bytes: what is parsed is a colour and can be nothing else.
//!
//! Contrast is reckoned in whole numbers, so that every node decides alike.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Least contrast of text to what is behind it, hundredths (WCAG 2.2, 1.4.3).
pub const CONTRAST_MIN: u32 = 450;
/// Least contrast of what shows where a control is, hundredths (WCAG 2.2, 1.4.11).
pub const CONTROL_CONTRAST_MIN: u32 = 300;

/// What is added to a luminance before two are compared: 0.05.
const FLARE: u64 = 500_000_000;

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// Six hexadecimal digits, with or without `#`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    /// Six hexadecimal digits in lower case, without `#`.
    pub fn hex(self) -> String {
        let Self([red, green, blue]) = self;
        format!("{red:02x}{green:02x}{blue:02x}")
    }

    /// Contrast ratio (WCAG 2.2), hundredths: 100 to 2,100.
    pub fn contrast(self, other: Self) -> u32 {
        let (one, two) = (self.luminance(), other.luminance());
        let (bright, dark) = (one.max(two) + FLARE, one.min(two) + FLARE);
        u32::try_from(bright * 100 / dark).unwrap_or(u32::MAX)
    }

    /// Relative luminance (WCAG 2.2), so many of 10,000,000,000.
    fn luminance(self) -> u64 {
        let [red, green, blue] = self.0.map(|channel| {
            let linear = LINEAR.get(usize::from(channel)).copied();
            u64::from(linear.unwrap_or_default())
        });
        2_126 * red + 7_152 * green + 722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "#{}", self.hex())
    }
}

/// What each value of a channel is in linear light, so many of 1,000,000 (WCAG 2.2).
const LINEAR: [u32; 256] = [
    0, 304, 607, 911, 1_214, 1_518, 1_821, 2_125, 2_428, 2_732, 3_035, 3_347, 3_677, 4_025, 4_391,
    4_777, 5_182, 5_605, 6_049, 6_512, 6_995, 7_499, 8_023, 8_568, 9_134, 9_721, 10_330, 10_960,
    11_612, 12_286, 12_983, 13_702, 14_444, 15_209, 15_996, 16_807, 17_642, 18_500, 19_382, 20_289,
    21_219, 22_174, 23_153, 24_158, 25_187, 26_241, 27_321, 28_426, 29_557, 30_713, 31_896, 33_105,
    34_340, 35_601, 36_889, 38_204, 39_546, 40_915, 42_311, 43_735, 45_186, 46_665, 48_172, 49_707,
    51_269, 52_861, 54_480, 56_128, 57_805, 59_511, 61_246, 63_010, 64_803, 66_626, 68_478, 70_360,
    72_272, 74_214, 76_185, 78_187, 80_220, 82_283, 84_376, 86_500, 88_656, 90_842, 93_059, 95_307,
    97_587, 99_899, 102_242, 104_616, 107_023, 109_462, 111_932, 114_435, 116_971, 119_538,
    122_139, 124_772, 127_438, 130_136, 132_868, 135_633, 138_432, 141_263, 144_128, 147_027,
    149_960, 152_926, 155_926, 158_961, 162_029, 165_132, 168_269, 171_441, 174_647, 177_888,
    181_164, 184_475, 187_821, 191_202, 194_618, 198_069, 201_556, 205_079, 208_637, 212_231,
    215_861, 219_526, 223_228, 226_966, 230_740, 234_551, 238_398, 242_281, 246_201, 250_158,
    254_152, 258_183, 262_251, 266_356, 270_498, 274_677, 278_894, 283_149, 287_441, 291_771,
    296_138, 300_544, 304_987, 309_469, 313_989, 318_547, 323_143, 327_778, 332_452, 337_164,
    341_914, 346_704, 351_533, 356_400, 361_307, 366_253, 371_238, 376_262, 381_326, 386_429,
    391_572, 396_755, 401_978, 407_240, 412_543, 417_885, 423_268, 428_690, 434_154, 439_657,
    445_201, 450_786, 456_411, 462_077, 467_784, 473_531, 479_320, 485_150, 491_021, 496_933,
    502_886, 508_881, 514_918, 520_996, 527_115, 533_276, 539_479, 545_724, 552_011, 558_340,
    564_712, 571_125, 577_580, 584_078, 590_619, 597_202, 603_827, 610_496, 617_207, 623_960,
    630_757, 637_597, 644_480, 651_406, 658_375, 665_387, 672_443, 679_542, 686_685, 693_872,
    701_102, 708_376, 715_694, 723_055, 730_461, 737_910, 745_404, 752_942, 760_525, 768_151,
    775_822, 783_538, 791_298, 799_103, 806_952, 814_847, 822_786, 830_770, 838_799, 846_873,
    854_993, 863_157, 871_367, 879_622, 887_923, 896_269, 904_661, 913_099, 921_582, 930_111,
    938_686, 947_307, 955_973, 964_686, 973_445, 982_251, 991_102, 1_000_000,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_six_digits_and_nothing_else() {
        assert_eq!(Colour::parse("#0a0B0c"), Some(Colour([10, 11, 12])));
        assert_eq!(Colour::parse("ffffff"), Some(Colour([255; 3])));
        assert_eq!(Colour([10, 11, 12]).to_string(), "#0a0b0c");
        for text in ["", "#fff", "#+12345", "red", "0000000", "#12345;", "##12345", "é1234"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }

    #[test]
    fn contrast_gives_the_published_values() {
        let (black, white) = (Colour([0; 3]), Colour([255; 3]));
        assert_eq!((white.contrast(black), black.contrast(black)), (2_100, 100));
        for (text, expected) in [("767676", 454), ("777777", 447), ("ff0000", 399)] {
            let colour = Colour::parse(text).unwrap();
            assert_eq!(colour.contrast(white), expected, "{text}");
            assert_eq!(white.contrast(colour), expected, "{text}");
        }
    }
}
