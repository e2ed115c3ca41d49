//! Numbers within their bounds.

use serde_json::Value;

use super::schema::Facets;

/// Above this not every integer is a `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The number nearest to 1 that the schema lets through; later items of an array get later numbers.
pub(super) fn within(facets: &Facets<'_>, integer: bool, nth: u64) -> Value {
    let (least, above) = bound(facets, "minimum", "exclusiveMinimum", f64::max);
    let (most, below) = bound(facets, "maximum", "exclusiveMaximum", f64::min);
    let step = facets.number("multipleOf").filter(|step| *step > 0.0).unwrap_or(1.0);

    let mut value = (1.0 / step).ceil() * step;
    if most.is_some_and(|most| value > most || (below && value >= most)) {
        let top = most.unwrap_or(value);
        value = (top / step).floor() * step;
        if below && value >= top {
            value -= step;
        }
    }
    if least.is_some_and(|least| value < least || (above && value <= least)) {
        let bottom = least.unwrap_or(value);
        value = (bottom / step).ceil() * step;
        if above && value <= bottom {
            value += step;
        }
    }
    let fits = |value: f64| {
        least.is_none_or(|least| value > least || (!above && value >= least))
            && most.is_none_or(|most| value < most || (!below && value <= most))
    };
    #[expect(clippy::cast_precision_loss, reason = "an array has at most 64 items")]
    let later = step.mul_add(nth as f64, value);
    if fits(later) {
        value = later;
    }
    if !fits(value) && !integer {
        // No step falls between the bounds: their middle does.
        if let (Some(least), Some(most)) = (least, most) {
            value = f64::midpoint(least, most);
        }
    }
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2⁵³")]
        return Value::from(value as i64);
    }
    Value::from(value)
}

/// A bound and whether it is itself excluded: `exclusiveMinimum` is a number, or in old drafts a boolean beside
/// `minimum`.
fn bound(facets: &Facets<'_>, plain: &str, exclusive: &str, tighter: fn(f64, f64) -> f64) -> (Option<f64>, bool) {
    let plain = facets.number(plain);
    match (plain, facets.number(exclusive)) {
        (plain, Some(excluded)) => {
            let bound = plain.map_or(excluded, |plain| tighter(plain, excluded));
            #[expect(clippy::float_cmp, reason = "it is one of the two, unchanged")]
            (Some(bound), bound == excluded)
        }
        (plain, None) => (plain, facets.get(exclusive).and_then(Value::as_bool).unwrap_or(false)),
    }
}
