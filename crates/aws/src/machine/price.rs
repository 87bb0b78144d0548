//! What spot capacity costs.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use ami_bake_core::plan::Price;
use aws_sdk_ec2::primitives::DateTime;

use super::Instance;
use crate::platform::Inner;

/// The products that images of ours are (EC2 API, DescribeSpotPriceHistory, ProductDescriptions).
const PRODUCT: &str = "Linux/UNIX";

/// Asks for the price of a spot machine's type in its zone. Nothing waits for it: it is there when the machine ends, or
/// the report says nothing of money.
pub(super) fn of_spot(aws: &Arc<Inner>, instance: &Instance) -> Arc<OnceLock<Price>> {
    let cell = Arc::new(OnceLock::new());
    if instance.spot {
        let (aws, told) = (Arc::clone(aws), Arc::clone(&cell));
        let (kind, zone) = (instance.kind.clone(), instance.zone.clone());
        tokio::spawn(async move {
            if let Some(price) = ask(&aws, &kind, &zone).await {
                let _ = told.set(price);
            }
        });
    }
    cell
}

/// The price now: with a start in the present EC2 answers the one that holds.
async fn ask(aws: &Inner, kind: &str, zone: &str) -> Option<Price> {
    let request = aws
        .client
        .ec2
        .describe_spot_price_history()
        .instance_types(kind.into())
        .availability_zone(zone)
        .product_descriptions(PRODUCT)
        .start_time(DateTime::from(SystemTime::now()))
        .send();
    let answer = aws.client.ask("DescribeSpotPriceHistory", request).await.ok()?;
    answer.spot_price_history().first()?.spot_price().and_then(Price::of_text)
}
