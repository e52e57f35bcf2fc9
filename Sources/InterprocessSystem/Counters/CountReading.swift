import CInterprocess
import SystemPackage

/// A descriptor from which a number is taken: 64 bits, never 0. The forms of waiting: ``DescriptorFacility``.
public protocol CountReading: DescriptorFacility, ~Copyable {}

extension CountReading where Self: ~Copyable {
    /// Takes the number; waits while there is none. The corresponding C function is `read`.
    public func take() throws(FacilityError) -> UInt64 {
        var bytes = CountBytes(repeating: 0)
        var span = bytes.mutableSpan
        _ = try readBlocking(descriptor, into: &span, of: facility)
        return number(bytes)
    }

    /// Takes the number; nil if there is none. The corresponding C function is `preadv2(RWF_NOWAIT)`, and where the kernel has it not for such a descriptor, `poll` and `read`: then somebody else who takes at the same
    /// moment makes this one wait.
    public func tryTake() throws(FacilityError) -> UInt64? {
        var bytes = CountBytes(repeating: 0)
        var span = bytes.mutableSpan
        guard try readNow(descriptor, into: &span, of: facility) != nil else { return nil }
        return number(bytes)
    }

    /// Takes the number; waits while there is none, until `deadline`.
    public func take(until deadline: MonotonicInstant) throws(FacilityError) -> UInt64 {
        while true {
            if let number = try tryTake() { return number }
            try waitUntilReady(for: .reading, until: deadline)
        }
    }

    /// Takes the number; suspends the task while there is none, until `deadline` or cancellation.
    public func take(until deadline: MonotonicInstant? = nil) async throws(FacilityError) -> UInt64 {
        while true {
            if let number = try tryTake() { return number }
            try await waitUntilReady(for: .reading, until: deadline)
        }
    }

    private func number(_ bytes: CountBytes) -> UInt64 {
        unsafe bytes.span.withUnsafeBytes { unsafe $0.loadUnaligned(as: UInt64.self) }
    }
}

private typealias CountBytes = InlineArray<8, UInt8>
