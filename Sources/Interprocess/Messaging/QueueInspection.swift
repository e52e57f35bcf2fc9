/// Looking at a queue without taking part.
public enum QueueInspection {
    /// Checks every record that waits in the queue, and says what is in it. Read-only; any time; O(messages).
    ///
    /// For a queue that this process has no segment of, see ``ObjectDirectory/status(of:)``.
    ///
    /// - Throws: ``InterprocessError`` `damaged`, with the name of the impossible field; `kindMismatch` if it is no queue.
    public static func validate(_ segment: Segment) throws(InterprocessError) -> QueueStatistics {
        let label = segment.name?.description ?? "anonymous segment"
        guard segment.header.kind == .queue else {
            throw InterprocessError(.kindMismatch, "validate", label, "it is a \(segment.header.kind), not a \(SegmentKind.queue)")
        }
        return try statistics(segment.mapping, label)
    }

    static func statistics(_ mapping: SegmentMapping, _ label: String) throws(InterprocessError) -> QueueStatistics {
        let element = mapping.header.element
        let walk = QueueWalk(
            QueueWords(mapping), alignment: RecordGeometry.alignment(for: element.alignment), elementSize: element.size)
        do throws(QueueDamage) {
            return try walk.statistics()
        } catch {
            throw InterprocessError(.damaged, "validate", label, "the field '\(error.field)' is impossible; remove it and create it anew")
        }
    }
}
