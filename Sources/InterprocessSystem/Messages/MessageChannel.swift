/// A channel of messages: each is received as it was sent, whole and in one call. The forms of waiting: ``DescriptorFacility``.
public protocol MessageChannel: DescriptorFacility, ~Copyable {
    /// Sends a message; waits while there is no room.
    func send(_ message: Span<UInt8>) throws(FacilityError)
    /// Sends a message; false if there is no room. Does not wait.
    func trySend(_ message: Span<UInt8>) throws(FacilityError) -> Bool
    /// Receives a message; waits for one. Returns how many bytes it has.
    func receive(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int
    /// Receives a message; nil if there is none. Does not wait.
    func tryReceive(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int?
}

extension MessageChannel where Self: ~Copyable {
    /// Sends a message; waits while there is no room, until `deadline`.
    public func send(_ message: Span<UInt8>, until deadline: MonotonicInstant) throws(FacilityError) {
        while try !trySend(message) { try waitUntilReady(for: .writing, until: deadline) }
    }

    /// Sends a message; suspends the task while there is no room, until `deadline` or cancellation.
    public func send(_ message: Span<UInt8>, until deadline: MonotonicInstant? = nil) async throws(FacilityError) {
        while try !trySend(message) { try await waitUntilReady(for: .writing, until: deadline) }
    }

    /// Receives a message; waits for one until `deadline`.
    public func receive(into buffer: inout MutableSpan<UInt8>, until deadline: MonotonicInstant) throws(FacilityError) -> Int {
        while true {
            if let count = try tryReceive(into: &buffer) { return count }
            try waitUntilReady(for: .reading, until: deadline)
        }
    }

    /// Receives a message; suspends the task until there is one, until `deadline` or cancellation.
    public func receive(into buffer: inout MutableSpan<UInt8>, until deadline: MonotonicInstant? = nil) async throws(FacilityError) -> Int {
        while true {
            if let count = try tryReceive(into: &buffer) { return count }
            try await waitUntilReady(for: .reading, until: deadline)
        }
    }
}
