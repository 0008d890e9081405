// SPDX-License-Identifier: Apache-2.0
/** Starts its arguments with an empty environment. */
public class JavaParent {
    public static void main(String[] arguments) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(arguments).inheritIO();
        builder.environment().clear();
        System.exit(builder.start().waitFor());
    }
}
