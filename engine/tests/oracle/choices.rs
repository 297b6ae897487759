//! Choices: the numbers that a statement is made from. They are recorded, so that a statement that finds something can be
//! made smaller: fewer and smaller numbers make a smaller statement.

/// A source of choices: at random from a seed, or those of an earlier run, and 0 when they are used up.
pub(crate) struct Choices {
    state: u64,
    replayed: Option<Vec<u32>>,
    made: Vec<u32>,
}

impl Choices {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { state: seed, replayed: None, made: Vec::new() }
    }

    pub(crate) fn replaying(choices: Vec<u32>) -> Self {
        Self { state: 0, replayed: Some(choices), made: Vec::new() }
    }

    /// The choices made so far.
    pub(crate) fn into_made(self) -> Vec<u32> {
        self.made
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let chosen = match &self.replayed {
            Some(choices) => choices.get(self.made.len()).copied().unwrap_or(0),
            None => u32::try_from(self.random() >> 40).unwrap(),
        };
        let chosen = chosen % u32::try_from(bound.max(1)).unwrap();
        self.made.push(chosen);
        chosen as usize
    }

    /// True once in `times`; a choice of 0 is never true.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) + 1 == times
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// The smallest choices found that still fail, by leaving some out and making others 0.
pub(crate) async fn smallest(mut failing: Vec<u32>, fails: impl AsyncFn(Vec<u32>) -> bool) -> Vec<u32> {
    let mut tries = 400;
    let mut width = (failing.len() / 2).max(1);
    while width > 0 {
        let mut at = 0;
        while at < failing.len() && tries > 0 {
            let end = (at + width).min(failing.len());
            let without = [&failing[..at], &failing[end..]].concat();
            let mut zeroed = failing.clone();
            zeroed[at..end].fill(0);
            let mut smaller = None;
            for candidate in [without, zeroed] {
                tries -= 1;
                if candidate != failing && fails(candidate.clone()).await {
                    smaller = Some(candidate);
                    break;
                }
            }
            match smaller {
                Some(candidate) if candidate.len() < failing.len() => failing = candidate,
                Some(candidate) => {
                    failing = candidate;
                    at = end;
                }
                None => at = end,
            }
        }
        width /= 2;
    }
    failing
}
