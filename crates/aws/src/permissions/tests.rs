//! Every action that any manifest's policy grants has a check, or a reason why it has none.

use std::sync::Arc;

use ami_bake_core::clock::{Clock, SystemClock};
use ami_bake_core::limit::Limiter;

use super::ask::ask;
use super::check::actions;
use super::question::Subject;
use super::unasked;
use crate::client::{Clients, Settings};
use crate::image::Images;
use crate::policy::fixture::everything;
use crate::policy::{PolicyScope, at_home, elsewhere, targets};

#[tokio::test]
async fn what_is_granted_is_asked_for() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let settings = Settings { region: Some("us-east-1".to_owned()), ..Settings::default() };
    let limiter = Arc::new(Limiter::new(Arc::clone(&clock)));
    let clients = Clients::new(settings, clock, limiter).await.unwrap();
    let images = Images::new(Arc::clone(clients.home()));
    let about = Subject::default();
    let (plans, grants) = everything();
    let place = PolicyScope::of(None, "us-east-1");
    let mut statements = at_home(&plans, &grants, &place);
    for role in targets(&plans) {
        statements.extend(elsewhere(&plans, &role, &place));
    }
    let actions = actions(&statements);
    assert!(actions.len() > 100, "{actions:?}");
    let of_documents = |action: &str| grants.iter().any(|grant| grant.action == action);
    for (action, by_aws) in actions {
        let asked = ask(&images, action, &about).is_some();
        let why = unasked::why(action);
        let assumed = action == "sts:AssumeRole";
        assert!(
            asked || why.is_some() || by_aws || assumed || of_documents(action),
            "{action} is granted and not asked for"
        );
        assert!(!(asked && why.is_some()), "{action} is asked for, whatever `unasked` says");
    }
}
