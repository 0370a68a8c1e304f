//! LIKE and ILIKE with a constant pattern, in time that grows with the text alone.
//!
//! A pattern is cut at its `%` into pieces. The first and the last are tied to the text's ends; the
//! others are found one behind the other, each as far left as it goes, which never has to be taken
//! back. A piece without `_` is found by substring search; one with `_`, and any under ILIKE, is
//! tried at every place, so its length is bounded.

/// Longest piece that is tried at every place, in characters.
const TRIED_CHARS_MAX: usize = 128;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct LikePattern {
    /// What the text begins with.
    first: Piece,
    /// What comes in between, in order, and what the text ends with; `None` without any `%`.
    rest: Option<(Vec<Piece>, Piece)>,
}

/// What stands between two `%`.
#[derive(Debug, Clone)]
enum Piece {
    /// Exactly this text.
    Exact(String),
    /// One character each; `None` is `_`.
    Places { places: Vec<Option<char>>, ignore_case: bool },
}

impl LikePattern {
    /// Reads a pattern; `\` takes the character behind it as it is.
    ///
    /// `None` where matching would not agree with the planner's (ILIKE with letters outside ASCII)
    /// or could take too long.
    pub fn compile(pattern: &str, ignore_case: bool) -> Option<LikePattern> {
        if ignore_case && !pattern.is_ascii() {
            return None;
        }
        let mut pieces = cut(pattern).into_iter().map(|places| Piece::new(places, ignore_case)).collect::<Vec<_>>();
        let last = pieces.pop()?;
        if pieces.is_empty() {
            return Some(LikePattern { first: last, rest: None });
        }
        let first = pieces.remove(0);
        pieces.retain(|piece| !piece.is_empty());
        if pieces.iter().any(Piece::is_too_long) {
            return None;
        }
        Some(LikePattern { first, rest: Some((pieces, last)) })
    }

    /// Does the text match?
    pub fn matches(&self, text: &str) -> bool {
        let Some(behind_first) = self.first.behind(text) else {
            return false;
        };
        let Some((middle, last)) = &self.rest else {
            return behind_first.is_empty();
        };
        let Some(mut open) = last.before(behind_first) else {
            return false;
        };
        for piece in middle {
            match piece.find(open) {
                Some(behind) => open = behind,
                None => return false,
            }
        }
        true
    }
}

/// The pieces between the `%` of a pattern; one more than there are `%`.
fn cut(pattern: &str) -> Vec<Vec<Option<char>>> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => pieces.push(std::mem::take(&mut piece)),
            '_' => piece.push(None),
            '\\' => piece.push(Some(chars.next().unwrap_or('\\'))),
            c => piece.push(Some(c)),
        }
    }
    pieces.push(piece);
    pieces
}

impl Piece {
    fn new(places: Vec<Option<char>>, ignore_case: bool) -> Piece {
        if !ignore_case && let Some(text) = places.iter().copied().collect::<Option<String>>() {
            return Piece::Exact(text);
        }
        Piece::Places { places, ignore_case }
    }

    fn is_empty(&self) -> bool {
        match self {
            Piece::Exact(text) => text.is_empty(),
            Piece::Places { places, .. } => places.is_empty(),
        }
    }

    fn is_too_long(&self) -> bool {
        matches!(self, Piece::Places { places, .. } if places.len() > TRIED_CHARS_MAX)
    }

    /// What is left of the text behind the piece, if it begins with it.
    fn behind<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Piece::Exact(exact) => text.strip_prefix(exact.as_str()),
            Piece::Places { places, ignore_case } => {
                let mut chars = text.chars();
                places.iter().all(|&place| takes(place, chars.next(), *ignore_case)).then_some(chars.as_str())
            }
        }
    }

    /// What is left of the text before the piece, if it ends with it.
    fn before<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Piece::Exact(exact) => text.strip_suffix(exact.as_str()),
            Piece::Places { places, ignore_case } => {
                let mut chars = text.chars();
                places
                    .iter()
                    .rev()
                    .all(|&place| takes(place, chars.next_back(), *ignore_case))
                    .then_some(chars.as_str())
            }
        }
    }

    /// What is left of the text behind the first place where the piece stands.
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Piece::Exact(exact) => text.split_once(exact.as_str()).map(|(_, behind)| behind),
            Piece::Places { .. } => {
                let mut chars = text.chars();
                loop {
                    if let Some(behind) = self.behind(chars.as_str()) {
                        return Some(behind);
                    }
                    chars.next()?;
                }
            }
        }
    }
}

fn takes(place: Option<char>, found: Option<char>, ignore_case: bool) -> bool {
    match (place, found) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(wanted), Some(found)) => {
            wanted == found || ignore_case && (wanted.eq_ignore_ascii_case(&found) || folds_to(found, wanted))
        }
    }
}

/// The only letters outside ASCII that are the same as one inside it when case is ignored:
/// the long s and the Kelvin sign.
fn folds_to(found: char, wanted: char) -> bool {
    matches!((found, wanted), ('\u{17f}', 's' | 'S') | ('\u{212a}', 'k' | 'K'))
}

#[cfg(test)]
mod tests;
