// A gauge on Android: LiteRT runs model.tflite, which takes raw camera pixels: crop and reduction are in it.
package gonogo

import android.content.Context
import android.graphics.Bitmap
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import org.tensorflow.lite.Interpreter

/**
 * Answers photos, one at a time: an interpreter has one memory, so each thread needs a gauge of its own.
 *
 * @param model the file, in a direct buffer of the machine's byte order.
 * @param threads one by default: a network this small is slower on several.
 */
class Gauge(model: ByteBuffer, threads: Int = 1) : AutoCloseable {
    val facts = Facts.of(model)
    private val interpreter = Interpreter(model, Interpreter.Options().setNumThreads(threads))
    private val signature = interpreter.signatureKeys.single()
    private val outputs = interpreter.getSignatureOutputs(signature).associateWith {
        FloatBuffer.allocate(interpreter.getOutputTensorFromSignature(it, signature).numElements())
    }

    /** Answers a photo at the camera's own size, upright; IllegalArgumentException where it has another size. */
    fun inspect(photo: Bitmap): Verdict {
        val argb = IntArray(photo.width * photo.height)
        photo.getPixels(argb, 0, photo.width, 0, 0, photo.width, photo.height)
        outputs.values.forEach { it.rewind() }
        interpreter.runSignature(mapOf("pixels" to facts.pixels(argb, photo.width, photo.height)), outputs, signature)
        return facts.decide(outputs.getValue("pred_probs").array(), outputs["novelty"]?.get(0))
    }

    override fun close() = interpreter.close()

    companion object {
        /** Opens a file of the app's assets. */
        fun fromAssets(context: Context, name: String = "model.tflite"): Gauge {
            val bytes = context.assets.open(name).use { it.readBytes() }
            val model = ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder())
            model.put(bytes).rewind()
            return Gauge(model)
        }
    }
}
