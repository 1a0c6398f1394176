//! The names of events as Capillary spells them.

use super::table;

/// All that Capillary's documentation has a sample or a schema of (facts 2). Names are compared without case here, but whoever
/// subscribes to them has to spell them so. One stands here in the two spellings that occur.
pub const NAMES: [&str; 78] = [
    // Customer
    "customerAdded",
    "customerUpdated",
    "customerSubscription",
    "loyaltyCustomerMerge",
    // Groups
    "groupCreated",
    "groupUpdated",
    "groupMemberAdded",
    "groupMemberRemoved",
    "pointsContributionToGroup",
    // Transaction
    "transactionAdded",
    "transactionUpdated",
    "notInterestedBillAdded",
    "retroBillAdded",
    "transactionRejected",
    "rejectedTransactionRetrigger",
    // Points and alternate currencies
    "pointsIssued",
    "pointsRedeemed",
    "redeemedPointsReversed",
    "issuedPointsReversed",
    "promisedToCurrentPointsConversion",
    "pointsExpired",
    "pointsExpiryReminder",
    "pointsTransferredInitiated",
    "pointsTransferredReceived",
    "singlePointsExpiryUpdated",
    "pointsExpiryChange",
    "manualPointsAdjustment",
    "alternateCurrenciesIssued",
    "issuedAlternateCurrenciesReversed",
    "issuedalternateCurrenciesReversed",
    "promisedToCurrentAlternateCurrencyConversion",
    // Tiers and partner programmes
    "tierUpgraded",
    "tierRenewed",
    "tierDowngraded",
    "tierDowngradeReminder",
    "partnerProgramLinked",
    "partnerProgramUpdated",
    "partnerProgramDelinked",
    "supplementaryMembershipExpiryReminder",
    "PP_EXPIRY_JOB",
    // Targets and streaks
    "targetAchievedValueUpdated",
    "targetValueAchieved",
    "targetValueUpdated",
    "targetPeriodStarted",
    "targetPeriodCompleted",
    "targetCustomerEnrolment",
    "targetCustomerUnenrolment",
    "unifiedTargetsAchieved",
    "unifiedTargetsUnAchieved",
    "streakStart",
    "streakEnd",
    "streakLevelAchieved",
    "streakLevelUnAchieved",
    "streakCustomerEnrolment",
    "streakCustomerUnEnrolment",
    // Promotions, rewards, coupons, badges, cards
    "promotionCreated",
    "promotionUpdated",
    "promotionIssued",
    "promotionEarned",
    "revokeIssuedPromotion",
    "revokeEarnedPromotion",
    "cartPromotionIssued",
    "cartPromotionEarned",
    "cartPromotionRedeemed",
    "cartPromotionRevoked",
    "rewardCreated",
    "rewardUpdated",
    "rewardExpiryReminder",
    "rewardIssued",
    "issueRewardFailure",
    "updateRewardTransaction",
    "CouponIssue",
    "CouponRedeem",
    "badgeEarned",
    "cardUpdated",
    // Requests, communication
    "requestUpdated",
    "requestWorkflowEvent",
    "communicationMessageUndelivered",
];

/// Whether anything can stand behind an event of this name, in whatever case; none for a name that is not in the table. An event of such
/// a name is published as it came.
pub fn is_enriched(name: &str) -> Option<bool> {
    let name = name.to_lowercase();
    table::ROUTES.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, lookups)| !lookups.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the table, and no longer in the documentation (facts 2.8), or never with a sample (facts 2.7).
    const UNSPELLED: [&str; 8] = [
        "customerupdate",
        "registration",
        "changeidentifier",
        "updateidentifier",
        "pointredemption",
        "mergecustomer",
        "transaction",
        "issuebulkcoupon",
    ];

    #[test]
    fn each_name_of_the_table_has_its_spelling_and_no_other_name_has() {
        for name in NAMES {
            assert!(is_enriched(name).is_some(), "{name} is not in the table");
        }
        for name in table::names().filter(|name| !UNSPELLED.contains(name)) {
            assert!(NAMES.iter().any(|spelled| spelled.to_lowercase() == name), "{name} has no spelling");
        }
    }

    #[test]
    fn nothing_stands_behind_configuration_and_nothing_is_known_of_other_names() {
        assert_eq!(is_enriched("CouponIssue"), Some(true));
        assert_eq!(is_enriched("promotionCreated"), Some(false));
        assert_eq!(is_enriched("cartAbandoned"), None);
    }
}
