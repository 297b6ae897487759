//! Writes the benchmark's raw file of visits to standard output. It measures nothing itself; `benches/pool.py` does.

use std::io::{self, BufWriter};

use basin_benches::visits::{Arrival, write};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rows = arguments.next().and_then(|text| text.parse::<u64>().ok());
    let arrival = match arguments.next().as_deref() {
        None | Some("shuffled") => Some(Arrival::Shuffled),
        Some("by-date") => Some(Arrival::ByDate),
        Some(_) => None,
    };
    let (Some(rows), Some(arrival)) = (rows, arrival) else {
        eprintln!("usage: bench-data ROWS [shuffled|by-date] > FILE.csv");
        std::process::exit(2);
    };
    write(&mut BufWriter::with_capacity(1 << 20, io::stdout().lock()), rows, arrival)
}
