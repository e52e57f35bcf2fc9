import CrashLab

/// Every scenario of the library.
let allScenarios: [Scenario] =
    queueSendScenarios + queueReceiveScenarios + queueContendedScenarios + queueStormScenarios + queueScheduleScenarios + segmentScenarios
    + handoffScenarios
