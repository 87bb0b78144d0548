//! Deletes older versions of an image once a new one is published.

use crate::engine::options::BakeContext;
use crate::error::Error;
use crate::event::Event;
use crate::plan::ImagePlan;
use crate::retention;
use crate::run::Run;

/// Deletes versions that the plan's retention does not keep and nobody uses, and reports each. A failure is only a
/// warning, since the new image is already published. Unpublished images, such as a pull request's, cause no deletions.
pub(super) async fn retire(run: &Run, context: &BakeContext, plan: &ImagePlan) {
    if plan.settings.retention.is_none() || !plan.settings.distribution.wanted {
        return;
    }
    let going = match run.until_cancelled(context.platform.superseded(run, plan, false)).await {
        Ok(Ok(going)) => going,
        Ok(Err(error)) => return warn(run, &format!("old versions of {}", plan.key), &error),
        Err(_) => return,
    };
    for old in going {
        if run.cancel.is_cancelled() {
            return;
        }
        let environment = plan.settings.distribution.environment.as_deref();
        if let Some(why) = old.held {
            if retention::others(&old.image, environment).is_some()
                && let Err(error) = context.platform.release(run, plan, &old.image).await
            {
                let what = format!("the environment's tag of {} {} ({})", plan.key, old.image.version, old.image.id);
                warn(run, &what, &error);
            }
            run.emit(Event::Held { image: old.image, why });
            continue;
        }
        match context.platform.retire(run, std::slice::from_ref(&plan.settings.distribution), &old.image).await {
            Ok(()) => run.emit(Event::Retired { image: old.image }),
            Err(error) => warn(run, &format!("{} {} ({})", plan.key, old.image.version, old.image.id), &error),
        }
    }
}

fn warn(run: &Run, what: &str, error: &Error) {
    let help = error.help_text().map_or("The next bake retries it.".to_owned(), str::to_owned);
    run.warn(format!("could not delete {what}: {error}"), Some(help));
}
