//! The benchmark's raw file: a delivery of visits, as a province would export it.
//!
//! Deterministic (the same rows on every machine), so that engines read the same bytes. `visits.toml` is its manifest.
//!
//! Columns: visit_id, visit_date, region_code, facility_code, person_key, sex, age, diagnosis, insurance, cost,
//! reimbursed, remark. About 100 bytes a row; region codes begin with no zero, diagnosis and remark are text.

use std::io::{self, Write};

/// Its manifest.
pub const MANIFEST: &str = include_str!("../visits.toml");

/// The order in which rows arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// In no order.
    Shuffled,
    /// By the date of the visit.
    ByDate,
}

/// A 64-bit generator (SplitMix64, Steele et al. 2014): small, seeded, the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

const PROVINCES: [u32; 31] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54,
    61, 62, 63, 64, 65,
];
const INSURANCE: [&str; 4] = ["employee", "resident", "rural cooperative", "none"];
const REMARKS: [&str; 6] = ["", "", "复诊", "referred by township clinic", "急诊", "follow-up in two weeks"];

fn write_row(out: &mut impl Write, random: &mut SplitMix, number: u64, day: u64) -> io::Result<()> {
    let region = PROVINCES[random.below(31) as usize] * 10_000 + random.below(20) as u32 * 100 + 1;
    let (month, day) = (day / 28 % 12 + 1, day % 28 + 1);
    let cost = 1_000 + random.below(2_000_000);
    let reimbursed = cost * random.below(90) / 100;
    let letter = char::from(b'A' + random.below(26) as u8);
    writeln!(
        out,
        "{number},2024-{month:02}-{day:02},{region},H{:06},{:016x},{},{},{letter}{:02}.{},{},{}.{:02},{}.{:02},{}",
        random.below(40_000),
        random.next(),
        if random.below(2) == 0 { "F" } else { "M" },
        random.below(100),
        random.below(100),
        random.below(10),
        INSURANCE[random.below(4) as usize],
        cost / 100,
        cost % 100,
        reimbursed / 100,
        reimbursed % 100,
        REMARKS[random.below(6) as usize],
    )
}

/// Writes the header and as many rows.
///
/// # Errors
/// Those of the output.
pub fn write(out: &mut impl Write, rows: u64, arrival: Arrival) -> io::Result<()> {
    writeln!(
        out,
        "visit_id,visit_date,region_code,facility_code,person_key,sex,age,diagnosis,insurance,cost,reimbursed,remark"
    )?;
    let mut random = SplitMix(2020);
    for number in 0..rows {
        let day = match arrival {
            Arrival::ByDate => number * 336 / rows.max(1),
            Arrival::Shuffled => random.below(336),
        };
        write_row(out, &mut random, number + 1, day)?;
    }
    out.flush()
}
