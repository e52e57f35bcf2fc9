import Synchronization

/// A 32-bit word in shared memory. All access is atomic; the orders are in the names.
///
/// Made only for addresses inside of a mapping that its user keeps alive, aligned to 4.
@frozen @safe @usableFromInline
package struct SharedUInt32: @unchecked Sendable {
    @usableFromInline let address: UnsafeMutablePointer<Atomic<UInt32>>

    @inlinable @inline(__always)
    package init(at address: UnsafeMutableRawPointer) { unsafe self.address = address.assumingMemoryBound(to: Atomic<UInt32>.self) }

    /// The word's address, for futex calls.
    @inlinable package var rawAddress: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(address) }

    @inlinable @inline(__always) package func loadRelaxed() -> UInt32 { unsafe address.pointee.load(ordering: .relaxed) }
    @inlinable @inline(__always) package func loadAcquire() -> UInt32 { unsafe address.pointee.load(ordering: .acquiring) }
    @inlinable @inline(__always) package func loadSequential() -> UInt32 { unsafe address.pointee.load(ordering: .sequentiallyConsistent) }
    @inlinable @inline(__always) package func storeRelaxed(_ value: UInt32) { unsafe address.pointee.store(value, ordering: .relaxed) }
    @inlinable @inline(__always) package func storeRelease(_ value: UInt32) { unsafe address.pointee.store(value, ordering: .releasing) }
    @inlinable @discardableResult package func add(_ value: UInt32) -> UInt32 {
        unsafe address.pointee.wrappingAdd(value, ordering: .sequentiallyConsistent).newValue
    }
    @inlinable @discardableResult package func setBits(_ bits: UInt32) -> UInt32 {
        unsafe address.pointee.bitwiseOr(bits, ordering: .sequentiallyConsistent).oldValue
    }
    @inlinable @discardableResult package func clearBits(_ bits: UInt32) -> UInt32 {
        unsafe address.pointee.bitwiseAnd(~bits, ordering: .sequentiallyConsistent).oldValue
    }
    @inlinable @inline(__always) package func compareExchangeAcquire(_ expected: UInt32, _ desired: UInt32) -> Bool {
        unsafe address.pointee.compareExchange(expected: expected, desired: desired, ordering: .acquiring).exchanged
    }
    @inlinable @inline(__always) package func compareExchangeRelease(_ expected: UInt32, _ desired: UInt32) -> Bool {
        unsafe address.pointee.compareExchange(expected: expected, desired: desired, ordering: .releasing).exchanged
    }
    /// Stores `value`; what stood there before.
    @inlinable package func exchange(_ value: UInt32) -> UInt32 {
        unsafe address.pointee.exchange(value, ordering: .sequentiallyConsistent)
    }
    @inlinable package func compareExchange(_ expected: UInt32, _ desired: UInt32) -> Bool {
        unsafe address.pointee.compareExchange(expected: expected, desired: desired, ordering: .sequentiallyConsistent).exchanged
    }
}

/// A 64-bit word in shared memory; see ``SharedUInt32``. Aligned to 8.
@frozen @safe @usableFromInline
package struct SharedUInt64: @unchecked Sendable {
    @usableFromInline let address: UnsafeMutablePointer<Atomic<UInt64>>

    @inlinable @inline(__always)
    package init(at address: UnsafeMutableRawPointer) { unsafe self.address = address.assumingMemoryBound(to: Atomic<UInt64>.self) }

    @inlinable @inline(__always) package func loadRelaxed() -> UInt64 { unsafe address.pointee.load(ordering: .relaxed) }
    @inlinable @inline(__always) package func loadAcquire() -> UInt64 { unsafe address.pointee.load(ordering: .acquiring) }
    @inlinable @inline(__always) package func loadSequential() -> UInt64 { unsafe address.pointee.load(ordering: .sequentiallyConsistent) }
    @inlinable @inline(__always) package func storeRelaxed(_ value: UInt64) { unsafe address.pointee.store(value, ordering: .relaxed) }
    @inlinable @inline(__always) package func storeRelease(_ value: UInt64) { unsafe address.pointee.store(value, ordering: .releasing) }
    @inlinable @discardableResult package func add(_ value: UInt64) -> UInt64 {
        unsafe address.pointee.wrappingAdd(value, ordering: .sequentiallyConsistent).newValue
    }
    @inlinable @discardableResult package func setBits(_ bits: UInt64) -> UInt64 {
        unsafe address.pointee.bitwiseOr(bits, ordering: .sequentiallyConsistent).oldValue
    }
    @inlinable @discardableResult package func clearBits(_ bits: UInt64) -> UInt64 {
        unsafe address.pointee.bitwiseAnd(~bits, ordering: .sequentiallyConsistent).oldValue
    }
    /// Stores `value`; what stood there before.
    @inlinable @discardableResult package func exchange(_ value: UInt64) -> UInt64 {
        unsafe address.pointee.exchange(value, ordering: .sequentiallyConsistent)
    }
    @inlinable package func compareExchange(_ expected: UInt64, _ desired: UInt64) -> Bool {
        unsafe address.pointee.compareExchange(expected: expected, desired: desired, ordering: .sequentiallyConsistent).exchanged
    }
}

/// A full fence: no access moves across it, in the compiler or the processor.
@inlinable package func fullFence() { atomicMemoryFence(ordering: .sequentiallyConsistent) }
