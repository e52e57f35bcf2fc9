/// Looking at a queue without taking part.
public enum QueueInspection {
    /// Checks every record that waits in the queue, and says what is in it. Read-only; any time; O(messages).
    ///
    /// - Throws: ``InterprocessError`` `damaged`, with the name of the impossible field.
    public static func validate(_ segment: Segment) throws(InterprocessError) -> QueueStatistics {
        try statistics(segment.mapping, segment.name?.description ?? "anonymous queue")
    }

    static func statistics(_ mapping: SegmentMapping, _ label: String) throws(InterprocessError) -> QueueStatistics {
        let element = mapping.header.element
        let walk = QueueWalk(
            QueueWords(mapping), mapping, alignment: RecordGeometry.alignment(for: element.alignment), elementSize: element.size)
        do throws(QueueDamage) {
            return try walk.statistics()
        } catch {
            throw InterprocessError(.damaged, "validate", label, "the field '\(error.field)' is impossible; remove it and create it anew")
        }
    }
}
