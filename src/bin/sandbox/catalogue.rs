//! The names of events that Capillary's documentation has a sample or a schema of, as they are spelled there.

/// One stands here in the two spellings that occur.
pub(crate) const NAMES: [&str; 78] = [
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

/// The name that is meant, where one is written with other letters large and small than in the documentation. Any other name may be
/// that of an org's own behavioural event, which can be subscribed, too.
pub(crate) fn misspelled(name: &str) -> Option<&'static str> {
    let is_right = NAMES.contains(&name);
    NAMES.into_iter().find(|known| !is_right && known.eq_ignore_ascii_case(name))
}
