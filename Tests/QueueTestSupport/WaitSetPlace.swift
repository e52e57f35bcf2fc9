public import Interprocess

/// One object of each kind that a wait set watches, for two processes of a test.
public struct WaitSetPlace: Sendable {
    public let directory: ObjectDirectory
    public let manual: SharedEvent
    public let automatic: SharedEvent
    public let semaphore: SharedSemaphore
    public let notifier: SharedNotifier
    /// Given back by who has taken.
    public let acknowledged: SharedSemaphore

    public static let ids = 70
    /// Small, so that there is soon no room.
    public static let capacity = 3

    /// What one round of a test does.
    public enum Step: Int, CaseIterable, Sendable { case value, bytes, drop, room, manual, automatic, semaphore, notifier, pipe }

    public init(in directory: ObjectDirectory) throws {
        self.directory = directory
        let options = SynchronizationOptions(directory: directory)
        manual = try SharedEvent(named: "manual", options: options)
        automatic = try SharedEvent(named: "automatic", resetting: .automatic, options: options)
        semaphore = try SharedSemaphore(named: "semaphore", value: 0, options: options)
        notifier = try SharedNotifier(named: "notifier", ids: Self.ids, options: options)
        acknowledged = try SharedSemaphore(named: "acknowledged", value: 0, options: options)
    }

    public static func name(_ index: Int) throws -> ObjectName { try ObjectName("q\(index)") }
}
