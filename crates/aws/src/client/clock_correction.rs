//! Re-signs a refused request with AWS' time, once.

use aws_runtime::service_clock_skew::DisableClockSkewCorrection;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// When AWS refuses a signature and its time differs from this machine's, the SDK signs again with AWS' time. A request
/// that is refused with that time too fails with an error about the clock; the SDK would repeat it as often as a lost
/// answer.
#[derive(Debug)]
pub(crate) struct ClockCorrection;

impl Intercept for ClockCorrection {
    fn name(&self) -> &'static str {
        "ami-bake-clock-correction"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The difference from the first answer stays in use; no later answer is a reason to repeat the request.
        if cfg.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1) {
            cfg.interceptor_state().store_put(DisableClockSkewCorrection::from(true));
        }
        Ok(())
    }
}
