use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use loam_domain::{ThingName, Timestamp};

use crate::aggregate::{Aggregate, days};
use crate::point::{Metric, Sample};
use crate::range::Span;
use crate::rows::{self, Item};
use crate::{Store, TelemetryFailure};

impl Store {
    /// The latest value of each series of a thing.
    ///
    /// # Errors
    /// [`TelemetryFailure::NotRead`], [`TelemetryFailure::BadRow`].
    pub async fn latest(&self, thing: &ThingName) -> Result<BTreeMap<Metric, Sample>, TelemetryFailure> {
        let query = Query::of(thing.to_string(), "begins_with(sk, :from)", rows::LATEST_PREFIX.to_owned());
        let items = self.query(query, usize::MAX, |_| true).await?;
        items.iter().map(|item| Ok((rows::latest_metric(item)?, rows::sample_of(item)?))).collect()
    }

    /// The first `limit` samples of a series in `span`, the oldest first, without those that are expired at `now`.
    ///
    /// # Errors
    /// As [`Store::latest`].
    pub async fn series(
        &self,
        thing: &ThingName,
        metric: &Metric,
        span: Span,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Sample>, TelemetryFailure> {
        let query = Query::between(thing, metric, rows::sample_sk_from(span.from), rows::sample_sk_from(span.to));
        let items = self.query(query, limit, |item| !rows::is_expired(item, now)).await?;
        Ok(items.iter().map(rows::sample_of).collect::<Result<_, _>>()?)
    }

    /// The aggregates of the hours that start in `span`, by their start, without those that are expired at `now`.
    ///
    /// # Errors
    /// As [`Store::latest`].
    pub async fn hourly(
        &self,
        thing: &ThingName,
        metric: &Metric,
        span: Span,
        now: Timestamp,
    ) -> Result<BTreeMap<Timestamp, Aggregate>, TelemetryFailure> {
        // An hour's key has nothing behind its time: the end is the millisecond before.
        let last = rows::hour_sk(span.to.plus_millis(-1));
        let query = Query::between(thing, metric, rows::hour_sk(span.from), last);
        let items = self.query(query, usize::MAX, |item| !rows::is_expired(item, now)).await?;
        items.iter().map(|item| Ok((rows::hour_start(item)?, rows::hour_of(item)?.aggregate))).collect()
    }

    /// The aggregates of the days (UTC), by their start, merged from the hours that start in `span`.
    ///
    /// # Errors
    /// As [`Store::latest`].
    pub async fn daily(
        &self,
        thing: &ThingName,
        metric: &Metric,
        span: Span,
        now: Timestamp,
    ) -> Result<BTreeMap<Timestamp, Aggregate>, TelemetryFailure> {
        Ok(days(self.hourly(thing, metric, span, now).await?))
    }

    /// Up to `limit` of the query's rows that `is_kept`, page by page: a page may hold nothing but expired rows.
    async fn query(
        &self,
        query: Query,
        limit: usize,
        is_kept: impl Fn(&Item) -> bool,
    ) -> Result<Vec<Item>, TelemetryFailure> {
        let mut request = self.client.query().table_name(&self.table);
        request = request.key_condition_expression(format!("pk = :pk AND {}", query.condition));
        for (name, value) in query.values {
            request = request.expression_attribute_values(name, value);
        }
        let mut pages = request.into_paginator().send();
        let mut items = Vec::new();
        while items.len() < limit
            && let Some(page) = pages.next().await
        {
            let page = page.map_err(|error| TelemetryFailure::NotRead(Box::new(error)))?;
            items.extend(page.items.unwrap_or_default().into_iter().filter(|item| is_kept(item)));
        }
        items.truncate(limit);
        Ok(items)
    }
}

/// Which rows of one partition.
struct Query {
    condition: &'static str,
    values: Vec<(&'static str, AttributeValue)>,
}

impl Query {
    fn of(pk: String, condition: &'static str, from: String) -> Self {
        Self { condition, values: vec![(":pk", rows::text(pk)), (":from", rows::text(from))] }
    }

    fn between(thing: &ThingName, metric: &Metric, from: String, to: String) -> Self {
        let mut query = Self::of(rows::series_pk(thing, metric), "sk BETWEEN :from AND :to", from);
        query.values.push((":to", rows::text(to)));
        query
    }
}
