//! One page of metrics under way: families of numbers, each with its name, unit and meaning.
//!
//! A thin layer over the encoder of prometheus-client, which writes the syntax. Its own registry of live counters is not
//! used: what is counted lies with those who count (see [`crate::tally`]) and is read here, once for each page.

use std::fmt;

use prometheus_client::encoding::{
    CounterValueEncoder, DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, GaugeValueEncoder,
    MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::tally::{Distribution, Scale};

/// Microseconds in a second.
const MICROS: f64 = 1e6;

/// What a family of numbers is. Names hold neither the unit nor `_total`: both follow from the rest. A meaning is plain text
/// in one line.
#[derive(Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) unit: Option<&'static str>,
    pub(super) meaning: &'static str,
}

/// A family without a unit.
pub(super) fn family(name: &'static str, meaning: &'static str) -> Family {
    Family { name, unit: None, meaning }
}

impl Family {
    /// In seconds.
    pub(super) fn seconds(self) -> Self {
        Self { unit: Some("seconds"), ..self }
    }

    /// In bytes.
    pub(super) fn bytes(self) -> Self {
        Self { unit: Some("bytes"), ..self }
    }
}

/// A value.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<bool> for Number {
    fn from(yes: bool) -> Self {
        Self::Whole(yes.into())
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl EncodeCounterValue for Number {
    fn encode(&self, encoder: &mut CounterValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => EncodeCounterValue::encode(number, encoder),
            Self::Real(number) => EncodeCounterValue::encode(number, encoder),
        }
    }
}

impl EncodeGaugeValue for Number {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => EncodeGaugeValue::encode(number, encoder),
            Self::Real(number) => EncodeGaugeValue::encode(number, encoder),
        }
    }
}

/// The page.
pub(super) struct Page<'e>(pub(super) DescriptorEncoder<'e>);

impl Page<'_> {
    /// What only ever goes up, with labels.
    pub(super) fn counters<'l, const L: usize, N: Into<Number>>(
        &mut self,
        family: Family,
        rows: impl IntoIterator<Item = ([(&'static str, &'l str); L], N)>,
    ) -> fmt::Result {
        self.family(family, MetricType::Counter, |metric| {
            rows.into_iter().try_for_each(|(labels, number)| {
                let number: Number = number.into();
                metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&number, None)
            })
        })
    }

    /// What only ever goes up.
    pub(super) fn counter(&mut self, family: Family, number: impl Into<Number>) -> fmt::Result {
        let number = number.into();
        self.family(family, MetricType::Counter, |metric| metric.encode_counter::<NoLabelSet, _, u64>(&number, None))
    }

    /// What is so at present, with labels.
    pub(super) fn gauges<'l, const L: usize, N: Into<Number>>(
        &mut self,
        family: Family,
        rows: impl IntoIterator<Item = ([(&'static str, &'l str); L], N)>,
    ) -> fmt::Result {
        self.family(family, MetricType::Gauge, |metric| {
            rows.into_iter().try_for_each(|(labels, number)| {
                let number: Number = number.into();
                metric.encode_family(&labels)?.encode_gauge(&number)
            })
        })
    }

    /// What is so at present.
    pub(super) fn gauge(&mut self, family: Family, number: impl Into<Number>) -> fmt::Result {
        self.gauge_if_known(family, Some(number))
    }

    /// What is so at present; without a value where that is not known.
    pub(super) fn gauge_if_known(&mut self, family: Family, number: Option<impl Into<Number>>) -> fmt::Result {
        let number: Option<Number> = number.map(Into::into);
        self.family(family, MetricType::Gauge, |metric| number.map_or(Ok(()), |number| metric.encode_gauge(&number)))
    }

    /// How often values of which size came, with labels. A scale in microseconds is told in seconds.
    pub(super) fn histograms<'l, const L: usize, const B: usize>(
        &mut self,
        family: Family,
        scale: &Scale<B>,
        rows: impl IntoIterator<Item = ([(&'static str, &'l str); L], Distribution<B>)>,
    ) -> fmt::Result {
        self.family(family, MetricType::Histogram, |metric| {
            rows.into_iter()
                .try_for_each(|(labels, values)| histogram(&mut metric.encode_family(&labels)?, family, scale, &values))
        })
    }

    /// How often values of which size came. A scale in microseconds is told in seconds.
    pub(super) fn histogram<const B: usize>(
        &mut self,
        family: Family,
        scale: &Scale<B>,
        values: &Distribution<B>,
    ) -> fmt::Result {
        self.family(family, MetricType::Histogram, |metric| histogram(metric, family, scale, values))
    }

    /// What never changes: the labels say it all.
    pub(super) fn info(&mut self, family: Family, labels: &impl EncodeLabelSet) -> fmt::Result {
        self.family(family, MetricType::Info, |metric| metric.encode_info(labels))
    }

    fn family(
        &mut self,
        family: Family,
        kind: MetricType,
        write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let unit = family.unit.map(|unit| Unit::Other(unit.to_owned()));
        write(&mut self.0.encode_descriptor(family.name, family.meaning, unit.as_ref(), kind)?)
    }
}

fn histogram<const B: usize>(
    metric: &mut MetricEncoder<'_>,
    family: Family,
    scale: &Scale<B>,
    values: &Distribution<B>,
) -> fmt::Result {
    // Divided, for a bound of 100 times 0.000001 is not 0.0001 to a computer.
    let told = |value: u64| if family.unit.is_some() { value as f64 / MICROS } else { value as f64 };
    let bound = |bound: u64| if bound == u64::MAX { f64::INFINITY } else { told(bound) };
    let buckets: Vec<(f64, u64)> = scale.0.iter().map(|most| bound(*most)).zip(values.counts).collect();
    metric.encode_histogram::<NoLabelSet>(told(values.sum), values.count(), &buckets, None)
}
