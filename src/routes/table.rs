//! The table: every event name of Capillary's catalogue (facts, section 2), in lower case, and what stands behind it.
//!
//! A new event is a line here. A name that is not here is published as it came, as are those without entities.

use super::{
    Bills,
    Lookup::{self, Card, Coupon, Customer, FirstOf, Group, IdentifiedCustomer, PointsLedger, Transaction, User, UserGroup},
};
use crate::entity::TransactionType::{NotInterested, NotInterestedReturn, Regular, Return};

/// Whom the event is about. Of a group there may be no customer (facts 1.7).
const CUSTOMER: Lookup = FirstOf(&[Customer("data/customerIdentifiers/customerId"), User("data/entityInformation")]);
const GROUP: Lookup = UserGroup("data/entityInformation");
/// Minus one is a placeholder, and no id (facts 1.1).
const LEDGER: Lookup = FirstOf(&[PointsLedger("eventLogId"), PointsLedger("data/eventLogId")]);

/// A mixed bill is a sale and a return in one; under which type it is found is not documented (facts 4.6).
const BILL: Lookup = Transaction(
    "data/transactionId",
    (
        &[
            ("REGULAR", &[Regular]),
            ("RETURN", &[Return]),
            ("MIXED", &[Regular, Return]),
            ("NOT_INTERESTED", &[NotInterested]),
            ("NOT_INTERESTED_RETURN", &[NotInterestedReturn]),
        ],
        EITHER,
    ),
);
/// A bill of somebody who is not in the programme.
const NOT_INTERESTED_BILL: Lookup = Transaction(
    "data/transactionId",
    (
        &[
            ("RETURN", &[NotInterestedReturn]),
            ("NOT_INTERESTED_RETURN", &[NotInterestedReturn]),
            ("MIXED", &[NotInterested, NotInterestedReturn]),
        ],
        &[NotInterested],
    ),
);
/// Such a bill, claimed by a member later: it is becoming another type.
const RETRO_BILL: Lookup = Transaction(
    "data/transactionId",
    (
        &[
            ("RETURN", &[Return, NotInterestedReturn]),
            ("NOT_INTERESTED_RETURN", &[Return, NotInterestedReturn]),
            ("MIXED", &[Regular, Return, NotInterested]),
        ],
        &[Regular, NotInterested],
    ),
);
/// Of targets and rewards, which don't say what kind of bill it was.
const EITHER: &[crate::entity::TransactionType] = &[Regular, Return];
const ANY_BILL: Bills = (&[], EITHER);

/// Names in lower case, and what to fetch for them: first what the event is about.
pub(super) const ROUTES: &[(&[&str], &[Lookup])] = &[
    (
        &[
            // Customers, and the names of 2020 (facts 2.1, 2.8).
            "customeradded",
            "customerupdated",
            "customersubscription",
            "customerupdate",
            "registration",
            "changeidentifier",
            "updateidentifier",
            "pointredemption",
            // Bills that were refused, and have no id (facts 2.3).
            "transactionrejected",
            "rejectedtransactionretrigger",
            // Alternate currencies (facts 2.4).
            "alternatecurrenciesissued",
            "issuedalternatecurrenciesreversed",
            "promisedtocurrentalternatecurrencyconversion",
            // Tiers and partner programmes (facts 2.5).
            "tierupgraded",
            "tierrenewed",
            "tierdowngraded",
            "tierdowngradereminder",
            "partnerprogramlinked",
            "partnerprogramupdated",
            "partnerprogramdelinked",
            "supplementarymembershipexpiryreminder",
            "pp_expiry_job",
            // Promotions and badges (facts 2.7).
            "promotionissued",
            "promotionearned",
            "revokeissuedpromotion",
            "revokeearnedpromotion",
            "cartpromotionissued",
            "cartpromotionredeemed",
            "cartpromotionrevoked",
            "cartpromotionearned",
            "badgeearned",
            // Messages (facts 2.8).
            "communicationmessageundelivered",
        ],
        &[CUSTOMER, GROUP],
    ),
    (
        &["loyaltycustomermerge", "mergecustomer"],
        &[
            Customer("data/survivorCustomerIdentifiers/customerId"),
            Customer("data/victimCustomerIdentifiers/customerId"),
            Customer("data/customerIdentifiers/customerId"),
        ],
    ),
    // Groups (facts 2.2).
    (
        &["groupcreated", "groupupdated", "groupmemberadded", "groupmemberremoved"],
        &[
            Group("data/groupId"),
            Customer("data/primaryMember/customerIdentifiers/customerId"),
            Customer("data/memberAdded/customerIdentifiers/customerId"),
            Customer("data/memberRemoved/customerIdentifiers/customerId"),
        ],
    ),
    (
        &["pointscontributiontogroup"],
        &[
            Group("data/groupId"),
            Customer("data/contributingMember/customerIdentifiers/customerId"),
            Customer("data/primaryMember/customerIdentifiers/customerId"),
            LEDGER,
        ],
    ),
    // Transactions (facts 2.3).
    (&["transactionadded", "transactionupdated", "transaction"], &[BILL, CUSTOMER]),
    (&["notinterestedbilladded"], &[NOT_INTERESTED_BILL, CUSTOMER]),
    (&["retrobilladded"], &[RETRO_BILL, CUSTOMER]),
    // Points (facts 2.4).
    (
        &[
            "pointsissued",
            "pointsredeemed",
            "redeemedpointsreversed",
            "issuedpointsreversed",
            "promisedtocurrentpointsconversion",
            "pointsexpired",
            "pointsexpiryreminder",
            "singlepointsexpiryupdated",
            "pointsexpirychange",
            "manualpointsadjustment",
        ],
        &[CUSTOMER, GROUP, LEDGER],
    ),
    (
        &["pointstransferredinitiated"],
        &[
            CUSTOMER,
            FirstOf(&[
                Customer("data/transferReceivingCustomerIdentifiers/customerId"),
                User("data/transferReceivingEntityInformation"),
            ]),
            GROUP,
            UserGroup("data/transferReceivingEntityInformation"),
            LEDGER,
        ],
    ),
    (
        &["pointstransferredreceived"],
        &[
            CUSTOMER,
            FirstOf(&[
                Customer("data/transferInitiatingCustomerIdentifiers/customerId"),
                User("data/transferInitiatingEntityInformation"),
            ]),
            GROUP,
            UserGroup("data/transferInitiatingEntityInformation"),
            LEDGER,
        ],
    ),
    // Targets and streaks (facts 2.6).
    (
        &[
            "targetachievedvalueupdated",
            "targetvalueachieved",
            "targetvalueupdated",
            "targetperiodstarted",
            "targetperiodcompleted",
            "targetcustomerenrolment",
            "targetcustomerunenrolment",
            "unifiedtargetsachieved",
            "unifiedtargetsunachieved",
            "streakstart",
            "streakend",
            "streaklevelachieved",
            "streaklevelunachieved",
            "streakcustomerenrolment",
            "streakcustomerunenrolment",
        ],
        &[CUSTOMER, GROUP, Transaction("data/transactionId", ANY_BILL)],
    ),
    // Rewards (facts 2.7).
    (
        &["rewardissued", "issuerewardfailure", "updaterewardtransaction"],
        &[
            CUSTOMER,
            Customer("data/transactionUpdates/*/customerId"),
            Transaction("data/transactionId", ANY_BILL),
            Transaction("data/erroredSteps/*/rewards/*/transactionId", ANY_BILL),
            Transaction("data/transactionUpdates/*/transactionId", ANY_BILL),
        ],
    ),
    // Coupons and cards (facts 2.7). A bulk issue brings its customers before its coupons, of which the event tells most already.
    (
        &["couponissue", "issuebulkcoupon"],
        &[Customer("data/coupons/*/customerIdentifiers/customerId"), CUSTOMER, Coupon("data/coupons/*")],
    ),
    (&["couponredeem"], &[CUSTOMER, Coupon("data/coupon")]),
    (&["cardupdated"], &[Card("data/cardNumber"), CUSTOMER]),
    // Requests (facts 2.8).
    (&["requestupdated"], &[FirstOf(&[Customer("data/customerIdentifiers/customerId"), Customer("customerId")])]),
    (
        &["requestworkflowevent"],
        &[
            Customer("data/requestAttributes/body/customerId"),
            Customer("data/requestAttributes/body/customers/*"),
            IdentifiedCustomer("data/requestAttributes/queryParams"),
        ],
    ),
    // Configuration: there is nobody behind it.
    (&["promotioncreated", "promotionupdated", "rewardcreated", "rewardupdated", "rewardexpiryreminder"], &[]),
];

/// The names of the table, in lower case.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().flat_map(|(names, _)| names.iter().copied())
}
