import CrashLab

/// Every scenario of the library.
let allScenarios: [Scenario] =
    queueSendScenarios + queueReceiveScenarios + queueDropScenarios + queueContendedScenarios + queueStormScenarios + queueScheduleScenarios
    + sharedQueueScenarios + segmentScenarios + deathScenarios + handoffScenarios + handoffCallScenarios + synchronizationScenarios
    + notifierScenarios + waitSetScenarios + latestScenarios + variableScenarios + topicScenarios + topicOneScenarios + serviceScenarios
