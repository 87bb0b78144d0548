//! Numbers of HCL. HCL has 512 bits (cty, `cty.Number`); here whole numbers are exact up to 38 digits.

use std::cmp::Ordering;

/// A number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Whole(i128),
    Real(f64),
}

/// Limit up to which a 64-bit float represents every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// Parses a number.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(whole) => Some(Self::Whole(whole)),
            Err(_) => text.parse::<f64>().ok().filter(|real| real.is_finite()).map(Self::from),
        }
    }

    pub(super) fn to_f64(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "for functions that compute with floats")]
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }

    /// The sum, difference, product or remainder: exact if both are whole and the result fits.
    pub(super) fn compute(self, other: Self, exact: fn(i128, i128) -> Option<i128>, real: fn(f64, f64) -> f64) -> Self {
        let whole = match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => exact(a, b),
            _ => None,
        };
        whole.map_or_else(|| Self::from(real(self.to_f64(), other.to_f64())), Self::Whole)
    }

    /// The quotient; whole if there is no remainder.
    pub(super) fn divided(self, by: Self) -> Self {
        let exact = |a: i128, b: i128| a.checked_rem(b).filter(|rest| *rest == 0).and_then(|_| a.checked_div(b));
        self.compute(by, exact, |a, b| a / b)
    }

    /// The number as HCL writes it, without the noise of 64-bit floats beyond 15 digits.
    pub(super) fn text(self) -> String {
        match self {
            Self::Whole(whole) => whole.to_string(),
            Self::Real(real) if real.fract() == 0.0 && real.abs() < 1e21 => format!("{real:.0}"),
            Self::Real(real) => format!("{real:.14e}").parse::<f64>().unwrap_or(real).to_string(),
        }
    }

    pub(super) fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(&b),
            _ => self.to_f64().total_cmp(&other.to_f64()),
        }
    }
}

impl From<f64> for Number {
    fn from(real: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
        let whole = (real.fract() == 0.0 && real.abs() < EXACT).then_some(real as i128);
        whole.map_or(Self::Real(real), Self::Whole)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.order(*other) == Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn whole_numbers_are_exact() {
        let number = |text: &str| Number::parse(text).unwrap();
        for text in ["123456789012345678901234567890", "-9007199254740993", "0.3", "1000000000000000000000", "0.1"] {
            assert_eq!(number(text).text(), text);
        }
        let sum = number("9007199254740993").compute(number("1"), i128::checked_add, |a, b| a + b);
        assert_eq!(sum.text(), "9007199254740994");
        assert_eq!(number("0.1").compute(number("0.2"), i128::checked_add, |a, b| a + b).text(), "0.3");
        assert_eq!(number("18014398509481986").divided(number("2")).text(), "9007199254740993");
        assert_eq!(number("7").divided(number("2")).text(), "3.5");
        assert_eq!(number("1.0"), number("1"));
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
    }
}
