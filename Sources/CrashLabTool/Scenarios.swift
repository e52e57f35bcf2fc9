import CrashLab

/// Every scenario of the library.
let allScenarios: [Scenario] =
    queueSendScenarios + queueReceiveScenarios + queueDropScenarios + queueContendedScenarios + queueStormScenarios + queueScheduleScenarios
    + sharedQueueScenarios + fanInScenarios + segmentScenarios + deathScenarios + handoffScenarios + handoffCallScenarios
    + synchronizationScenarios + notifierScenarios + waitSetScenarios + latestScenarios + variableScenarios + topicScenarios
    + topicOneScenarios + serviceScenarios + arenaScenarios + arenaObjectScenarios + containerScenarios + arenaQueueScenarios
    + referenceScenarios + fileLockScenarios
