//! Phrases as words written together, and which topics they speak of.

use std::collections::{BTreeMap, HashMap};

use super::context::Topic;
use super::hasher::Quick;

/// All phrases of a dictionary.
pub(super) struct Phrases {
    known: HashMap<u64, Vec<Known>, Quick>,
    /// A bit for each hash of a phrase; some share one.
    hashes: Vec<u64>,
    /// How phrases begin: most words begin none.
    starts: Starts,
    longest: usize,
}

/// A phrase and its topics.
type Known = (Box<[u8]>, Vec<Topic>);

/// Letters that begin some phrase, read as far as somebody has asked.
pub(super) struct Phrase<'p, 'l> {
    phrases: &'p Phrases,
    letters: &'l [u8],
    read: usize,
    hash: u64,
}

impl Phrases {
    pub fn new(phrases: BTreeMap<String, Vec<Topic>>) -> Self {
        let starts = Starts::of(phrases.keys().map(String::as_bytes));
        let longest = phrases.keys().map(String::len).max().unwrap_or_default();
        let mut all = Self { known: HashMap::default(), hashes: vec![0; 1 << 10], starts, longest };
        for (phrase, topics) in phrases {
            let hash = phrase.bytes().fold(0, step);
            set(&mut all.hashes, place(hash));
            all.known.entry(hash).or_default().push((phrase.into_bytes().into(), topics));
        }
        all
    }

    /// The phrases that begin with these letters, if there may be some.
    pub fn begin<'l>(&self, letters: &'l [u8]) -> Option<Phrase<'_, 'l>> {
        self.starts.begin(letters).then_some(Phrase { phrases: self, letters, read: 0, hash: 0 })
    }

    /// The topics of a phrase, none if there is no such phrase.
    pub fn find(&self, phrase: &str) -> &[Topic] {
        self.begin(phrase.as_bytes()).and_then(|mut begun| begun.up_to(phrase.len())).unwrap_or_default()
    }

    fn get(&self, hash: u64, phrase: &[u8]) -> &[Topic] {
        if !is_set(&self.hashes, place(hash)) {
            return &[];
        }
        let mut alike = self.known.get(&hash).into_iter().flatten();
        alike.find(|(known, _)| &**known == phrase).map_or(&[], |(_, topics)| topics)
    }
}

impl<'p> Phrase<'p, '_> {
    /// The topics of the phrase of so many letters, none if there is no such phrase; `None` if there are only shorter
    /// ones. Lengths are asked for in order.
    pub fn up_to(&mut self, length: usize) -> Option<&'p [Topic]> {
        if length > self.phrases.longest {
            return None;
        }
        self.hash = self.letters.get(self.read..length)?.iter().copied().fold(self.hash, step);
        self.read = length;
        Some(self.phrases.get(self.hash, self.letters.get(..length)?))
    }
}

/// The hash of some letters and one more.
fn step(hash: u64, letter: u8) -> u64 {
    (hash ^ u64::from(letter)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The place of a hash among 65,536 bits.
fn place(hash: u64) -> usize {
    usize::try_from(hash >> 48).unwrap_or_default()
}

fn set(bits: &mut [u64], place: usize) {
    bits.get_mut(place >> 6).into_iter().for_each(|bits| *bits |= 1 << (place & 63));
}

fn is_set(bits: &[u64], place: usize) -> bool {
    bits.get(place >> 6).is_some_and(|bits| bits >> (place & 63) & 1 == 1)
}

/// Bits for the first letters of phrases, of each of which five bits count.
struct Starts {
    /// Phrases of up to three letters, and whatever follows them.
    short: Vec<u64>,
    /// The first four letters of longer ones; some share a bit.
    long: Vec<u64>,
}

impl Starts {
    fn of<'p>(phrases: impl Iterator<Item = &'p [u8]>) -> Self {
        let mut starts = Self { short: vec![0; 1 << 9], long: vec![0; 1 << 10] };
        for phrase in phrases {
            if let Some(letters) = phrase.first_chunk() {
                set(&mut starts.long, Self::long(*letters));
                continue;
            }
            let missing = 3usize.saturating_sub(phrase.len()) * 5;
            let first = Self::all(phrase) << missing;
            (first..first + (1 << missing)).for_each(|place| set(&mut starts.short, place));
        }
        starts
    }

    /// Whether a phrase may begin so.
    fn begin(&self, letters: &[u8]) -> bool {
        let first = |at: usize| letters.get(at).map_or(0, |letter| usize::from(letter & 31));
        is_set(&self.short, first(0) << 10 | first(1) << 5 | first(2))
            || letters.first_chunk().is_some_and(|letters| is_set(&self.long, Self::long(*letters)))
    }

    /// The letters as one number.
    fn all(letters: &[u8]) -> usize {
        letters.iter().fold(0, |all, letter| all << 5 | usize::from(letter & 31))
    }

    fn long(letters: [u8; 4]) -> usize {
        Self::all(&letters).wrapping_mul(0x9E37_79B9) >> 12 & 0xFFFF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_found_and_nothing_else() {
        let known = ["a", "id", "nif", "ssn", "card", "cardnumber", "taxid"];
        let phrases = Phrases::new(
            known.iter().zip(0..).map(|(phrase, topic)| ((*phrase).to_owned(), vec![topic])).collect(),
        );
        for (phrase, topic) in known.iter().zip(0..) {
            assert_eq!(phrases.find(phrase), [topic], "{phrase}");
        }
        for other in ["", "i", "ni", "nifs", "car", "cards", "cardnumbers", "tax", "b", "idea"] {
            assert!(phrases.find(other).is_empty(), "{other}");
        }
        let mut begun = phrases.begin(b"cardnumberis").unwrap();
        assert_eq!(begun.up_to(4), Some(&[4][..]));
        assert_eq!(begun.up_to(10), Some(&[5][..]));
        assert_eq!(begun.up_to(12), None);
    }
}
