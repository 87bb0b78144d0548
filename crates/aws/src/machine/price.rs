//! Prices of spot capacity.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use ami_bake_core::plan::Price;
use aws_sdk_ec2::primitives::DateTime;

use super::instance::Instance;
use crate::client::Client;

/// Product description of our images (EC2 API, DescribeSpotPriceHistory, ProductDescriptions).
const PRODUCT: &str = "Linux/UNIX";

/// Requests the spot price of a machine's type in its zone. Nothing waits for it: it usually arrives before the machine
/// ends; otherwise the report has no price.
pub(super) fn of_spot(client: &Arc<Client>, instance: &Instance) -> Arc<OnceLock<Price>> {
    let cell = Arc::new(OnceLock::new());
    if instance.spot {
        let (client, known) = (Arc::clone(client), Arc::clone(&cell));
        let (kind, zone) = (instance.kind.clone(), instance.zone.clone());
        tokio::spawn(async move {
            if let Some(price) = ask(&client, &kind, &zone).await {
                let _ = known.set(price);
            }
        });
    }
    cell
}

/// The current price: with a start time of now EC2 returns the one in effect.
async fn ask(client: &Client, kind: &str, zone: &str) -> Option<Price> {
    let request = client
        .ec2
        .describe_spot_price_history()
        .instance_types(kind.into())
        .availability_zone(zone)
        .product_descriptions(PRODUCT)
        .start_time(DateTime::from(SystemTime::now()))
        .send();
    let answer = client.ask("DescribeSpotPriceHistory", request).await.ok()?;
    answer.spot_price_history().first()?.spot_price().and_then(Price::of_text)
}
