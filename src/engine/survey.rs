//! What the hosts are, and what follows: asked, looked up, decided.

use std::sync::Arc;

use super::artifacts::sent;
use super::context::Context;
use super::operation::{Operation, Survey};
use super::refusal::Refusal;
use crate::run::gather::{self, Gathered};

impl Context {
    /// Asks all hosts and decides what follows, unless it is interrupted.
    pub async fn survey<O: Operation>(&self, operation: &O) -> Result<Survey<O::Rules>, Refusal> {
        let gathered = self.gather().await?;
        self.survey_of(operation, gathered).await
    }

    /// Decides what follows from what the hosts said, unless it is interrupted.
    pub async fn survey_of<O: Operation>(
        &self,
        operation: &O,
        gathered: Gathered,
    ) -> Result<Survey<O::Rules>, Refusal> {
        self.or_interrupted(self.decided(operation, gathered)).await
    }

    /// Asks the connected hosts again and decides anew.
    pub async fn again<O: Operation>(
        &self,
        operation: &O,
        mut gathered: Gathered,
    ) -> Result<Survey<O::Rules>, Refusal> {
        gather::refresh(&self.inventory, &mut gathered, &self.redactor).await;
        self.decided(operation, gathered).await
    }

    async fn decided<O: Operation>(
        &self,
        operation: &O,
        mut gathered: Gathered,
    ) -> Result<Survey<O::Rules>, Refusal> {
        let looked_up = operation.look_up(self, &mut gathered).await?;
        let mut decision = operation
            .decide(&self.situation(&gathered), looked_up, &self.book)
            .map_err(Refusal::Problems)?;
        for secret in &decision.secrets {
            self.redactor.learn_from_host(secret);
        }
        let judged = Arc::new(self.runner(&gathered).judge(&decision.plan).await);
        let sent = sent(&judged);
        decision.fetches.retain(|(path, _)| sent.contains(&**path));
        Ok(Survey {
            gathered,
            decision,
            judged,
        })
    }
}
